# shellcheck shell=bash
# A disk that boots with Secure Boot enforced: Debian's signed shim and GRUB, and its signed kernel.
#
# Use:  source it after common.sh, kernel.sh and firmware-images.sh; then  secure_boot_disk KERNEL INITRD
# After that:
#   SECURE_BOOT_DISK   GPT, an EFI system partition with shim as BOOTX64.EFI, GRUB, kernel and initrd
#
# The packages are fetched and unpacked into the cache, not installed: on a host they would set up its own booting.

SECURE_BOOT_PACKAGES=(shim-signed grub-efi-amd64-signed)

# What the guest runs; each line has a word in front. The MCH's register 0x9d has D_LCK in bit 4.
secure_boot_guest_script() {
    cat <<'EOS'
echo "release $(uname -r)"
echo "cpus $(nproc)"
dmesg | grep -i -e 'secure boot' -e 'locked down' | sed 's|^.*] |kernel says |'
echo "smram $(od -An -tx1 -j157 -N1 /sys/bus/pci/devices/0000:00:00.0/config)"
insmod /cs/efivarfs.ko
cd /sys/firmware/efi/efivars
mount -t efivarfs efivarfs .
cd /sys/firmware/efi/efivars
echo "secureboot $(od -An -tu1 -j4 SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c)"
name=Coldstart-52a1c8ae-7ab5-4bd3-9e0e-53d0f3a9f9c4
[ ! -e $name ] || echo "before $(tail -c +5 $name)"
printf '\007\000\000\000kept' >$name && echo "variable $(tail -c +5 $name)"
dmesg -r | grep '^<[0-4]>' | sed 's|^|complaint |'
EOS
}

write_secure_grub_cfg() {
    cat >"$1" <<EOF
serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
echo "GRUB speaks"
search --no-floppy --set=root --file /coldstart-guest
linux /vmlinuz console=ttyS0 quiet cs.script=$(secure_boot_guest_script | base64 -w 0)
initrd /initrd /modules.cpio
boot
EOF
}

# build_secure_boot_disk KERNEL INITRD DIR
build_secure_boot_disk() {
    local dir=$3 work=$3/work package
    local tree=$work/tree
    mkdir -p -- "$tree"/EFI/{BOOT,debian} "$work/modules/cs" "$work/debs"
    say "fetching ${SECURE_BOOT_PACKAGES[*]} (1.6 MB; nothing is installed)"
    (cd -- "$work/debs" &&
        apt-get -qq -o APT::Sandbox::User="$(id -un)" download "${SECURE_BOOT_PACKAGES[@]}" >&2) ||
        die "cannot download ${SECURE_BOOT_PACKAGES[*]}; apt-get's message above says why"
    for package in "$work"/debs/*.deb; do dpkg -x "$package" "$work/unpacked"; done
    cp -- "$work/unpacked/usr/lib/shim/shimx64.efi.signed" "$tree/EFI/BOOT/BOOTX64.EFI"
    cp -- "$work/unpacked/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed" "$tree/EFI/BOOT/grubx64.efi"
    write_secure_grub_cfg "$tree/EFI/debian/grub.cfg"
    cp -- "$1" "$tree/vmlinuz"
    cp -- "$2" "$tree/initrd"
    cp -- "$KERNEL_DIR/lib/modules/$KERNEL_RELEASE/kernel/fs/efivarfs/efivarfs.ko" "$work/modules/cs/"
    pack_initramfs "$work/modules" "$tree/modules.cpio"
    touch -- "$tree/coldstart-guest"
    esp_disk "$tree" "$dir/secure-boot.img"
    rm -rf -- "$work"
}

secure_boot_disk() {
    local key
    key=$(content_hash "${BASH_SOURCE[0]}" "$COLDSTART_ROOT/scripts/lib/firmware-images.sh" "$1" "$2")
    cached "secure-boot-$key" build_secure_boot_disk "$1" "$2"
    # shellcheck disable=SC2034  # for who calls this
    SECURE_BOOT_DISK=$CACHED/secure-boot.img
}
