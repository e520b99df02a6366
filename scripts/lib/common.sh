# shellcheck shell=bash
# What every script of this folder shares: messages, packages, the cache.
#
# Use:  source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
#
# After that:
#   COLDSTART_ROOT         the top of the source tree
#   COLDSTART_CACHE_DIR    where things that are slow to make are kept; deleting it is always safe
#   say, die, usage, shell_quote, content_hash, need_command, need_packages, cached
#
# All messages go to stderr: stdout belongs to what a script was asked to print.

# shellcheck disable=SC2034  # what it sets is read by those who source it

set -euo pipefail
shopt -s inherit_errexit

COLDSTART_ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
COLDSTART_CACHE_DIR=${COLDSTART_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/coldstart}
# depmod, modprobe and friends are not in an ordinary user's PATH.
case :$PATH: in *:/usr/sbin:*) ;; *) export PATH=$PATH:/usr/sbin:/sbin ;; esac

# The status `die` leaves with; scripts with a contract about it (the lab: 125) set their own.
DIE_STATUS=1

say() { printf 'coldstart: %s\n' "$*" >&2; }

# die MESSAGE: one line that names what is wrong and what to do about it.
die() {
    printf 'coldstart: error: %s\n' "$*" >&2
    exit "$DIE_STATUS"
}

# usage: the comment the calling script opens with.
usage() { sed -n '2,/^$/s/^#\( \|$\)//p' "$0"; }

# shell_quote WORD...: each word quoted so that any POSIX shell reads it back (printf %q is for bash alone).
shell_quote() {
    local word separator=
    for word; do
        printf "%s'%s'" "$separator" "${word//\'/\'\\\'\'}"
        separator=' '
    done
}

# content_hash FILE...: twelve digits that change when any of the files does.
content_hash() {
    local hash
    hash=$(cat -- "$@" | sha256sum)
    printf '%s' "${hash:0:12}"
}

# need_command NAME PACKAGE: for what must exist although the package set says it is installed.
need_command() {
    command -v "$1" >/dev/null || die "'$1' is missing; install it with: apt-get install $2"
}

# as_root COMMAND...: directly, or by sudo.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        command -v sudo >/dev/null ||
            die "installing packages needs root and there is no sudo; run as root: apt-get install ${MISSING_PACKAGES[*]}"
        sudo "$@"
    fi
}

# apt_get ARGUMENT...: apt-get that waits for another one to finish, asks nothing and keeps stdout clean.
apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
        -o Dpkg::Use-Pty=0 -o APT::Sandbox::User=root "$@" >&2
}

apt_lists_present() { compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null; }

# missing_packages PACKAGE...: sets MISSING_PACKAGES to those not installed.
missing_packages() {
    local package status
    local -A installed=()
    while read -r status package; do
        [ "$status" != installed ] || installed[$package]=1
        # dpkg-query fails when it does not know one of them: that is an answer here.
    done < <(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
    MISSING_PACKAGES=()
    for package; do
        [ -n "${installed[$package]:-}" ] || MISSING_PACKAGES+=("$package")
    done
}

# need_packages PACKAGE...: installs those that are missing, and says so. Silent and quick if none is.
need_packages() {
    command -v apt-get >/dev/null ||
        die "this host has no apt-get; these scripts know Debian 12. Install by hand what matches: $*"
    missing_packages "$@"
    [ ${#MISSING_PACKAGES[@]} -gt 0 ] || return 0
    say "installing ${MISSING_PACKAGES[*]}"
    local updated=
    if ! apt_lists_present; then
        say "there are no package lists yet: apt-get update"
        apt_get update || die "apt-get update failed; check the network and /etc/apt/sources.list*, then run this again"
        updated=1
    fi
    apt_get install --no-install-recommends -y "${MISSING_PACKAGES[@]}" && return 0
    if [ -z "$updated" ]; then
        say "that failed, perhaps because the package lists are old: apt-get update, and once more"
        apt_get update || die "apt-get update failed; check the network and /etc/apt/sources.list*, then run this again"
        apt_get install --no-install-recommends -y "${MISSING_PACKAGES[@]}" && return 0
    fi
    die "apt-get could not install ${MISSING_PACKAGES[*]}; its messages above say why"
}

# cached NAME BUILDER [ARGUMENT...]: sets CACHED to the cache's entry NAME, and if there is none lets the function
# BUILDER fill a folder (its last argument) that then becomes it, in one step. Two callers at once make one entry.
# NAME must hold all that the content depends on (a package's version, content_hash of the scripts).
cached() {
    local name=$1
    shift
    CACHED=$COLDSTART_CACHE_DIR/$name
    [ ! -d "$CACHED" ] || return 0
    mkdir -p -- "$COLDSTART_CACHE_DIR" ||
        die "cannot make the cache folder $COLDSTART_CACHE_DIR; set COLDSTART_CACHE to a folder you can write"
    (
        flock 9
        [ ! -d "$CACHED" ] || exit 0
        unfinished=$(mktemp -d -- "$COLDSTART_CACHE_DIR/.unfinished.XXXXXX")
        trap 'rm -rf -- "$unfinished"' EXIT
        chmod 755 -- "$unfinished"
        "$@" "$unfinished"
        mv -T -- "$unfinished" "$CACHED"
    ) 9>"$COLDSTART_CACHE_DIR/.lock"
}
