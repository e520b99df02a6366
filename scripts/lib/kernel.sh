# shellcheck shell=bash
# Debian's cloud kernel as files: fetched as a package and unpacked into the cache, never installed.
#
# Use:  source it after common.sh; then
#   debian_kernel          sets KERNEL_DIR (vmlinuz, lib/modules/RELEASE) and KERNEL_RELEASE
#   debian_vmlinux         sets VMLINUX_FILE, the uncompressed ELF of that kernel
#   module_files NAME...   prints the files of those modules and what they depend on, in loading order
#   add_busybox DIR, add_module_tree DIR NAME..., pack_initramfs DIR FILE    to make an initramfs

# shellcheck disable=SC2034  # what it sets is read by those who source it

KERNEL_META_PACKAGE=linux-image-cloud-amd64

# Asks apt which package and version the meta package stands for now: sets KERNEL_PACKAGE, KERNEL_VERSION, or fails.
query_kernel_package() {
    # The meta package depends on the kernel; on nothing else that is called linux-image.
    KERNEL_PACKAGE=$(LC_ALL=C apt-cache depends "$KERNEL_META_PACKAGE" 2>/dev/null |
        awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2; exit }')
    [ -n "$KERNEL_PACKAGE" ] || return 1
    KERNEL_VERSION=$(LC_ALL=C apt-cache show --no-all-versions "$KERNEL_PACKAGE" 2>/dev/null |
        awk '$1 == "Version:" { print $2; exit }')
    [ -n "$KERNEL_VERSION" ]
}

# The same, remembered until apt's lists change, because asking takes half a second.
resolve_kernel_package() {
    local note=$COLDSTART_CACHE_DIR/kernel-package
    if [ -s "$note" ] && ! [ /var/lib/apt/lists -nt "$note" ]; then
        read -r KERNEL_PACKAGE KERNEL_VERSION <"$note"
        return 0
    fi
    if ! query_kernel_package; then
        if [ -s "$note" ]; then # apt forgot it (its lists were deleted): what we have still serves
            read -r KERNEL_PACKAGE KERNEL_VERSION <"$note"
            return 0
        fi
        say "asking apt for the kernel package: apt-get update"
        apt_get update || die "apt-get update failed; check the network and /etc/apt/sources.list*, then run this again"
        query_kernel_package ||
            die "apt knows no $KERNEL_META_PACKAGE; is 'main' of Debian 12 for amd64 among its sources?"
    fi
    mkdir -p -- "$COLDSTART_CACHE_DIR"
    printf '%s %s\n' "$KERNEL_PACKAGE" "$KERNEL_VERSION" >"$note.$$"
    mv -f -- "$note.$$" "$note"
}

# Fetches the package into the folder $1.
download_kernel_package() {
    # As root apt would drop to its user _apt, who cannot write here, and warn about it.
    (cd -- "$1" && apt-get -qq -o APT::Sandbox::User="$(id -un)" download "$KERNEL_PACKAGE" >&2)
}

build_kernel_dir() {
    local dir=$1 release
    say "fetching $KERNEL_PACKAGE $KERNEL_VERSION (27 MB; nothing is installed)"
    if ! download_kernel_package "$dir"; then
        say "that failed, perhaps because the package lists are old: apt-get update, and once more"
        apt_get update || die "apt-get update failed; check the network and /etc/apt/sources.list*, then run this again"
        query_kernel_package || die "apt knows no $KERNEL_META_PACKAGE any more"
        download_kernel_package "$dir" || die "cannot download $KERNEL_PACKAGE; apt-get's message above says why"
    fi
    dpkg -x "$dir"/*.deb "$dir/unpacked"
    [ -d "$dir/unpacked/lib/modules" ] || mv -- "$dir/unpacked/usr/lib" "$dir/unpacked/lib"
    release=$(ls -- "$dir/unpacked/lib/modules")
    mkdir -- "$dir/lib"
    mv -- "$dir/unpacked/boot/vmlinuz-$release" "$dir/vmlinuz"
    mv -- "$dir/unpacked/lib/modules" "$dir/lib/modules"
    depmod -b "$dir" "$release"
    printf '%s\n' "$release" >"$dir/release"
    rm -rf -- "$dir/unpacked" "$dir"/*.deb
}

debian_kernel() {
    need_command depmod kmod
    resolve_kernel_package
    cached "kernel-${KERNEL_VERSION//[^A-Za-z0-9.+-]/_}-$(content_hash "${BASH_SOURCE[0]}")" build_kernel_dir
    KERNEL_DIR=$CACHED
    read -r KERNEL_RELEASE <"$KERNEL_DIR/release"
}

# u32 FILE OFFSET: the little-endian 32-bit number there (this kernel is x86's and so is this host).
u32() { od -An -tu4 -j"$2" -N4 -- "$1" | tr -d ' '; }

# A bzImage holds the kernel's ELF file, compressed (Documentation/arch/x86/boot.rst, payload_offset).
build_vmlinux_dir() {
    local bzimage=$1/vmlinuz dir=$2 setup_sectors offset length magic
    setup_sectors=$(od -An -tu1 -j$((0x1f1)) -N1 -- "$bzimage" | tr -d ' ')
    [ "$setup_sectors" != 0 ] || setup_sectors=4
    offset=$(((setup_sectors + 1) * 512 + $(u32 "$bzimage" $((0x248)))))
    length=$(u32 "$bzimage" $((0x24c)))
    tail -c +$((offset + 1)) -- "$bzimage" | head -c "$length" >"$dir/payload" || true
    magic=$(od -An -tx1 -N4 -- "$dir/payload" | tr -d ' ')
    # The build appends the uncompressed size, 4 bytes, where the format has none of its own (gzip has).
    case $magic in
    02214c18) head -c -4 -- "$dir/payload" | lz4 -dc >"$dir/vmlinux" ;;
    1f8b*) gzip -dc <"$dir/payload" >"$dir/vmlinux" ;;
    fd377a58) head -c -4 -- "$dir/payload" | xz -dc >"$dir/vmlinux" ;;
    28b52ffd) head -c -4 -- "$dir/payload" | zstd -qdc >"$dir/vmlinux" ;;
    *) die "$bzimage: the kernel in it is compressed in a way unknown here (it begins with $magic)" ;;
    esac
    rm -- "$dir/payload"
    [ "$(od -An -tx1 -N4 -- "$dir/vmlinux" | tr -d ' ')" = 7f454c46 ] || die "$bzimage: what it holds is no ELF file"
}

debian_vmlinux() {
    debian_kernel
    need_command lz4 lz4
    cached "vmlinux-${KERNEL_DIR##*/kernel-}" build_vmlinux_dir "$KERNEL_DIR"
    VMLINUX_FILE=$CACHED/vmlinux
}

# module_files NAME...: in loading order, each once. Built-in ones need no file; one the kernel has not is an error.
module_files() {
    local name
    for name; do
        # -C: not the host's own blacklists and options.
        modprobe -C /dev/null -d "$KERNEL_DIR" -S "$KERNEL_RELEASE" --show-depends "$name" ||
            die "kernel $KERNEL_RELEASE has no module $name"
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

# add_busybox DIR INIT: the folders and the programs of an initramfs, with the file INIT as its /init.
add_busybox() {
    local dir=$1 applet
    mkdir -p -- "$dir"/{bin,dev,proc,sys,etc,root,tmp}
    # Static, from the package busybox-static.
    cp -- "$(command -v busybox)" "$dir/bin/busybox"
    for applet in $(busybox --list); do
        [ "$applet" = busybox ] || ln -s busybox "$dir/bin/$applet"
    done
    ln -s bin "$dir/sbin"
    cp -- "$2" "$dir/init"
    chmod 755 -- "$dir/init"
    echo 'root:x:0:0:root:/root:/bin/sh' >"$dir/etc/passwd"
}

# initramfs_hash FILE...: changes when a file, the kernel or busybox does.
initramfs_hash() {
    content_hash "$@" "${BASH_SOURCE[0]}" <(
        printf '%s ' "$KERNEL_DIR"
        dpkg-query -W -f='${Version}' busybox-static
    )
}

# add_module_tree DIR NAME...: a lib/modules for DIR with those modules alone, that modprobe can use.
add_module_tree() {
    local dir=$1 target file files
    shift
    target=$dir/lib/modules/$KERNEL_RELEASE
    mkdir -p -- "$target"
    cp -- "$KERNEL_DIR/lib/modules/$KERNEL_RELEASE"/modules.{builtin,builtin.modinfo,order} "$target/"
    files=$(module_files "$@")
    while read -r file; do
        case $file in
        *.xz) xz -dc <"$file" >"$target/$(basename "${file%.xz}")" ;;
        *) cp -- "$file" "$target/" ;;
        esac
    done <<<"$files"
    # modules.order names folders this tree has not.
    rm -- "$target/modules.order"
    depmod -b "$dir" "$KERNEL_RELEASE" 2>/dev/null
    rm -- "$target"/modules.*.bin "$target"/modules.{builtin.modinfo,symbols,softdep,devname}
}

# pack_initramfs DIR FILE: the same DIR gives the same FILE. Not compressed: it is small, and unpacking takes boot time.
pack_initramfs() {
    find "$1" -exec touch -h -d @0 {} +
    (cd -- "$1" && find . -mindepth 1 -print0 | LC_ALL=C sort -z |
        cpio --null --create --format=newc --owner=0:0 --reproducible --quiet) >"$2"
}
