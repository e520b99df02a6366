# shellcheck shell=bash
# The Debian packages each part of the project needs, in one place.
#
# Use:  source it after common.sh; then  need_packages "${PACKAGES_LAB[@]}"
# shellcheck disable=SC2034  # read by those who source this

# To compile coldstart.
PACKAGES_BUILD=(
    g++ cmake ninja-build pkg-config ccache git nasm
    liburing-dev libboost-dev libfdt-dev nlohmann-json3-dev libmd-dev
    zlib1g-dev liblz4-dev libzstd-dev liblzma-dev libbz2-dev libpng-dev catch2
)

# To make guests out of Debian's kernel package (scripts/guest-assets).
PACKAGES_GUEST=(busybox-static cpio kmod xz-utils lz4 zstd e2fsprogs binutils gcc libc6-dev)

# To make what firmware boots (scripts/lib/firmware-images.sh), and the firmware itself.
PACKAGES_FIRMWARE=(
    seabios ovmf ipxe-qemu grub-common grub-pc-bin grub-efi-amd64-bin xorriso mtools dosfstools fdisk nasm
    passt dnsmasq-base iproute2
)

# To run the lab (scripts/lab).
PACKAGES_LAB=(gcc libc6-dev qemu-system-x86 qemu-system-common busybox-static cpio kmod xz-utils lz4)

# To run every test and check.
PACKAGES_TEST=(
    "${PACKAGES_BUILD[@]}" "${PACKAGES_GUEST[@]}" "${PACKAGES_LAB[@]}" "${PACKAGES_FIRMWARE[@]}"
    clang clang-format clang-tidy libclang-rt-14-dev
    acpica-tools u-boot-tools device-tree-compiler tmux socat python3 shellcheck util-linux
)
