// Superblocks, each at the offset and with the fields of its on-disk format:
//  ext2/3/4  Linux Documentation/filesystems/ext4/super.rst     1024, magic at +56
//  xfs       XFS Algorithms & Data Structures, "Superblocks"    0, big-endian
//  btrfs     btrfs on-disk format                               64 KiB, magic at +64
//  squashfs  Documentation/filesystems/squashfs.rst             0
//  erofs     Documentation/filesystems/erofs.rst                1024
//  FAT       Microsoft FAT specification, "BPB"                 0
//  swap      mkswap(8)                                          end of the first page
#include "firmware-loaders/media/recognisers.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/text.h"

#include <bit>

namespace coldstart {
namespace {

using Found = std::optional<FilesystemInfo>;

/// count << shift, or 0 when it doesn't fit: a damaged superblock claims no size.
std::uint64_t shifted(std::uint64_t count, unsigned shift) noexcept {
    return shift < 64 && count <= (~0ull >> shift) ? count << shift : 0;
}

std::uint64_t product(std::uint64_t a, std::uint64_t b) noexcept {
    std::uint64_t result = 0;
    return __builtin_mul_overflow(a, b, &result) ? 0 : result;
}

Found recognise_ext(const MediaFile& window) {
    const auto block = window.block<1024>(1024);
    if (!block || load_le<std::uint16_t>(*block, 56) != 0xef53)
        return std::nullopt;
    const auto log_block_size = load_le<std::uint32_t>(*block, 24);
    if (log_block_size > 6)
        return std::nullopt;
    const auto compatible = load_le<std::uint32_t>(*block, 92);
    const auto incompatible = load_le<std::uint32_t>(*block, 96);
    constexpr std::uint32_t has_journal = 0x4;
    constexpr std::uint32_t extents_64bit_flex_bg = 0x40 | 0x80 | 0x200;
    std::uint64_t blocks = load_le<std::uint32_t>(*block, 4);
    if ((incompatible & 0x80) != 0)
        blocks |= static_cast<std::uint64_t>(load_le<std::uint32_t>(*block, 0x150)) << 32;
    const ByteView bytes(*block);
    return FilesystemInfo{.type = (incompatible & extents_64bit_flex_bg) != 0 ? "ext4"
                                  : (compatible & has_journal) != 0           ? "ext3"
                                                                              : "ext2",
                          .label = text_field(bytes.subspan(120, 16)),
                          .uuid = uuid_text(bytes.subspan(104, 16)),
                          .size_bytes = shifted(blocks, 10 + log_block_size)};
}

Found recognise_xfs(const MediaFile& window) {
    if (!window.has(0, "XFSB"))
        return std::nullopt;
    const auto block_size = window.load_big_endian<std::uint32_t>(4);
    const auto blocks = window.load_big_endian<std::uint64_t>(8);
    if (!blocks || !std::has_single_bit(*block_size) || *block_size < 512 || *block_size > 65536)
        return std::nullopt;
    return FilesystemInfo{.type = "xfs",
                          .label = window.text(108, 12),
                          .uuid = window.uuid(32),
                          .size_bytes = product(*blocks, *block_size)};
}

Found recognise_btrfs(const MediaFile& window) {
    constexpr std::uint64_t base = 64 * KiB;
    if (!window.has(base + 64, "_BHRfS_M"))
        return std::nullopt;
    return FilesystemInfo{.type = "btrfs",
                          .label = window.text(base + 0x12b, 256),
                          .uuid = window.uuid(base + 0x20),
                          .size_bytes = window.load<std::uint64_t>(base + 0x70).value_or(0)};
}

Found recognise_squashfs(const MediaFile& window) {
    const auto version = window.load<std::uint16_t>(28);
    if (!window.has(0, "hsqs") || version != 4)
        return std::nullopt;
    return FilesystemInfo{.type = "squashfs",
                          .label = "",
                          .uuid = "",
                          .size_bytes = window.load<std::uint64_t>(40).value_or(0)};
}

Found recognise_erofs(const MediaFile& window) {
    constexpr std::uint64_t base = 1024;
    const auto log_block_size = window.load<std::uint8_t>(base + 12);
    if (window.load<std::uint32_t>(base) != 0xe0f5e1e2u || !log_block_size || *log_block_size > 16)
        return std::nullopt;
    return FilesystemInfo{
        .type = "erofs",
        .label = window.text(base + 64, 16),
        .uuid = window.uuid(base + 48),
        .size_bytes = shifted(window.load<std::uint32_t>(base + 36).value_or(0), *log_block_size)};
}

Found recognise_ntfs(const MediaFile& window) {
    const auto sector_size = window.load<std::uint16_t>(11);
    const auto sectors = window.load<std::uint64_t>(40);
    if (!window.has(3, "NTFS    ") || !sectors || !std::has_single_bit(*sector_size))
        return std::nullopt;
    return FilesystemInfo{
        .type = "ntfs", .label = "", .uuid = "", .size_bytes = product(*sectors, *sector_size)};
}

/// The BIOS parameter block has no magic of its own, so every field that can be wrong is checked.
Found recognise_fat(const MediaFile& window) {
    const auto sector = window.block<512>(0);
    if (!sector || load_le<std::uint16_t>(*sector, 510) != 0xaa55)
        return std::nullopt;
    const std::uint32_t sector_size = load_le<std::uint16_t>(*sector, 11);
    const std::uint32_t cluster_sectors = load_le<std::uint8_t>(*sector, 13);
    const std::uint32_t reserved = load_le<std::uint16_t>(*sector, 14);
    const std::uint32_t fats = load_le<std::uint8_t>(*sector, 16);
    const std::uint32_t root_entries = load_le<std::uint16_t>(*sector, 17);
    const auto media = load_le<std::uint8_t>(*sector, 21);
    std::uint64_t sectors = load_le<std::uint16_t>(*sector, 19);
    if (sectors == 0)
        sectors = load_le<std::uint32_t>(*sector, 32);
    std::uint64_t fat_sectors = load_le<std::uint16_t>(*sector, 22);
    const bool fat32_layout = fat_sectors == 0;
    if (fat32_layout)
        fat_sectors = load_le<std::uint32_t>(*sector, 36);
    if (!std::has_single_bit(sector_size) || sector_size < 512 || sector_size > 4096 ||
        !std::has_single_bit(cluster_sectors) || reserved == 0 || fats == 0 || fats > 2 ||
        (media != 0xf0 && media < 0xf8) || fat_sectors == 0)
        return std::nullopt;

    const std::uint64_t root_sectors = (root_entries * 32 + sector_size - 1) / sector_size;
    const std::uint64_t overhead = reserved + fats * fat_sectors + root_sectors;
    if (overhead >= sectors)
        return std::nullopt;
    const std::uint64_t clusters = (sectors - overhead) / cluster_sectors;
    const char* type = clusters < 4085 ? "FAT12" : clusters < 65525 ? "FAT16" : "FAT32";
    const std::size_t tail = fat32_layout ? 66 : 38; // the extended boot signature's place
    FilesystemInfo info{.type = cat("vfat (", type, ")"),
                        .label = "",
                        .uuid = "",
                        .size_bytes = product(sectors, sector_size)};
    if (load_le<std::uint8_t>(*sector, tail) == 0x29) {
        const std::string serial = hex(load_le<std::uint32_t>(*sector, tail + 1), 8).substr(2);
        info.uuid = serial.substr(0, 4) + "-" + serial.substr(4);
        info.label = text_field(ByteView(*sector).subspan(tail + 5, 11));
        if (info.label == "NO NAME")
            info.label.clear();
    }
    return info;
}

Found recognise_swap(const MediaFile& window) {
    if (!window.has(4096 - 10, "SWAPSPACE2"))
        return std::nullopt;
    const std::uint64_t last_page = window.load<std::uint32_t>(1028).value_or(0);
    return FilesystemInfo{.type = "swap",
                          .label = window.text(1024 + 28, 16),
                          .uuid = window.uuid(1024 + 12),
                          .size_bytes = (last_page + 1) * page_size_bytes};
}

} // namespace

std::optional<FilesystemInfo> recognise_filesystem(const MediaFile& window) {
    static constexpr Found (*recognisers[])(const MediaFile&) = {
        recognise_xfs,   recognise_squashfs, recognise_ntfs, recognise_ext,
        recognise_erofs, recognise_btrfs,    recognise_swap, recognise_fat,
    };
    for (const auto recognise : recognisers) {
        if (auto found = recognise(window))
            return found;
    }
    return std::nullopt;
}

} // namespace coldstart
