# shellcheck shell=bash
# Disks and discs that firmware boots, made of Debian's packages without mounting anything.
#
# Use:  source it after common.sh and kernel.sh; then  firmware_images KERNEL INITRD
# After that:
#   IMAGES_DIR   the folder with
#     seed.img      an MBR that says "Hello MBR" (tests/guests/boot/hello_mbr.asm)
#     vbe.img       a boot sector that draws four lines in a graphics mode (tests/guests/boot/vbe.asm)
#     blank.img     a disk without a boot signature
#     grub-mbr.img  MBR, GRUB for BIOS in the gap behind it, an ext4 partition with kernel and initrd
#     grub-esp.img  GPT, an EFI system partition with GRUB for UEFI, kernel and initrd
#     grub.iso      El Torito for BIOS and UEFI, likewise
#
# The guest prints what tests/integration/firmware_guests.py reads and powers off.

# What the guest runs: facts about the machine, each line with a word in front.
firmware_guest_script() {
    cat <<'EOF'
echo "release $(uname -r)"
echo "cpus $(nproc)"
echo "memory $(sed -n 's/^MemTotal: *//p' /proc/meminfo)"
echo "cmdline $(cat /proc/cmdline)"
[ ! -d /sys/firmware/efi ] || echo "efi yes"
for f in /sys/bus/pci/devices/*; do
    echo "pci ${f##*/} $(cat "$f/vendor") $(cat "$f/device") $(cat "$f/class") irq $(cat "$f/irq")"
done
for f in /sys/block/*; do echo "block ${f##*/} $(cat "$f/size")"; done
for f in /sys/firmware/acpi/tables/[A-Z]*; do [ -d "$f" ] || echo "acpi ${f##*/}"; done
dmesg -r | grep '^<[0-4]>' | sed 's|^|complaint |'
EOF
}

# The kernel's command line inside the images.
firmware_guest_cmdline() {
    printf 'console=ttyS0 quiet cs.modules=virtio_pci,virtio_blk,virtio_net cs.script=%s' \
        "$(firmware_guest_script | base64 -w 0)"
}

write_grub_cfg() {
    cat >"$1" <<EOF
serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
echo "GRUB speaks"
search --no-floppy --set=root --file /coldstart-guest
linux /vmlinuz $(firmware_guest_cmdline)
initrd /initrd
boot
EOF
}

# guest_tree DIR KERNEL INITRD: what every image holds.
guest_tree() {
    mkdir -p -- "$1/boot/grub"
    cp -- "$2" "$1/vmlinuz"
    cp -- "$3" "$1/initrd"
    touch -- "$1/coldstart-guest"
    write_grub_cfg "$1/boot/grub/grub.cfg"
}

GRUB_MODULES=(normal linux echo search search_fs_file serial terminal configfile boot part_msdos part_gpt)

# make_mbr_disk TREE FILE [MIB]: boot.img and core.img stand where grub-install puts them.
make_mbr_disk() {
    local tree=$1 disk=$2 mib=${3:-96} work=$2.work
    mkdir -p -- "$work"
    mke2fs -q -t ext4 -O ^metadata_csum_seed,^orphan_file -d "$tree" "$work/root" "${mib}M" >/dev/null 2>&1 ||
        mke2fs -q -t ext4 -d "$tree" "$work/root" "${mib}M" >/dev/null
    grub-mkimage -O i386-pc -p '(hd0,msdos1)/boot/grub' -o "$work/core" biosdisk ext2 "${GRUB_MODULES[@]}"
    truncate -s $((mib + 2))M -- "$disk"
    echo 'start=2048, type=83, bootable' | sfdisk -q "$disk"
    dd if="$work/root" of="$disk" bs=1M seek=1 conv=notrunc,sparse status=none
    dd if=/usr/lib/grub/i386-pc/boot.img of="$disk" bs=440 count=1 conv=notrunc status=none
    dd if="$work/core" of="$disk" bs=512 seek=1 conv=notrunc status=none
    rm -rf -- "$work"
}

# esp_disk TREE FILE [MIB]: an EFI system partition of that size that holds what is in the folder TREE.
esp_disk() {
    local tree=$1 disk=$2 mib=${3:-96} esp=$2.esp
    truncate -s "${mib}M" -- "$esp"
    mkfs.vfat -F 32 "$esp" >/dev/null
    mcopy -s -i "$esp" "$tree"/* ::/
    truncate -s $((mib + 2))M -- "$disk"
    printf 'label: gpt\nstart=2048, size=%s, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B\n' $((mib * 2048)) | sfdisk -q "$disk"
    dd if="$esp" of="$disk" bs=1M seek=1 conv=notrunc,sparse status=none
    rm -f -- "$esp"
}

# make_esp_disk TREE FILE [MIB]: the same with GRUB as what it boots.
make_esp_disk() {
    mkdir -p -- "$1/EFI/BOOT"
    grub-mkimage -O x86_64-efi -p /boot/grub -o "$1/EFI/BOOT/BOOTX64.EFI" fat "${GRUB_MODULES[@]}"
    esp_disk "$@"
    rm -rf -- "$1/EFI"
}

# build_firmware_images KERNEL INITRD DIR
build_firmware_images() {
    local tree=$3/tree
    guest_tree "$tree" "$1" "$2"
    nasm -f bin -o "$3/seed.img" "$COLDSTART_ROOT/tests/guests/boot/hello_mbr.asm"
    nasm -f bin -o "$3/vbe.img" "$COLDSTART_ROOT/tests/guests/boot/vbe.asm"
    truncate -s 1M -- "$3/seed.img" "$3/vbe.img" "$3/blank.img"
    make_mbr_disk "$tree" "$3/grub-mbr.img"
    make_esp_disk "$tree" "$3/grub-esp.img"
    grub-mkrescue -o "$3/grub.iso" "$tree" >/dev/null 2>&1
    rm -rf -- "$tree"
}

firmware_images() {
    local key
    key=$(content_hash "$COLDSTART_ROOT/scripts/lib/firmware-images.sh" "$COLDSTART_ROOT"/tests/guests/boot/{hello_mbr,vbe}.asm "$1" "$2")
    cached "firmware-images-$key" build_firmware_images "$1" "$2"
    IMAGES_DIR=$CACHED
}
