// MBR and GPT partition tables (UEFI 2.10 sections 5.2 and 5.3).
#include "firmware-loaders/media/recognisers.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <utility>

namespace coldstart {
namespace {

constexpr std::uint32_t max_gpt_entries = 1024; // the usual number is 128
constexpr std::size_t max_gpt_header_bytes = 4096;

std::uint32_t crc32(ByteView bytes) noexcept {
    std::uint32_t crc = ~0u;
    for (const std::byte byte : bytes) {
        crc ^= std::to_integer<std::uint32_t>(byte);
        for (int bit = 0; bit < 8; ++bit)
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0u);
    }
    return ~crc;
}

std::string mbr_type_name(unsigned type) {
    static constexpr std::pair<unsigned, const char*> names[] = {
        {0x05, "extended"},  {0x06, "FAT16"},          {0x07, "NTFS or exFAT"},
        {0x0b, "FAT32"},     {0x0c, "FAT32 (LBA)"},    {0x0e, "FAT16 (LBA)"},
        {0x0f, "extended"},  {0x82, "Linux swap"},     {0x83, "Linux"},
        {0x8e, "Linux LVM"}, {0xee, "GPT protective"}, {0xef, "EFI system"},
        {0xfd, "Linux RAID"}};
    for (const auto& [number, name] : names) {
        if (number == type)
            return name;
    }
    return hex(type, 2);
}

std::string gpt_type_name(const std::string& guid) {
    static constexpr std::pair<const char*, const char*> names[] = {
        {"c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "EFI system"},
        {"21686148-6449-6e6f-744e-656564454649", "BIOS boot"},
        {"0fc63daf-8483-4772-8e79-3d69d8477de4", "Linux"},
        {"4f68bce3-e8cd-4db1-96e7-fbcaf984b709", "Linux root (x86-64)"},
        {"0657fd6d-a4ab-43c4-84e5-0933c84b4f4f", "Linux swap"},
        {"e6d6d379-f507-44c2-a23c-238f2a3df928", "Linux LVM"},
        {"bc13c2ff-59e6-4262-a352-b275fd6f7172", "Linux extended boot"},
        {"ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", "Microsoft basic data"}};
    for (const auto& [known, name] : names) {
        if (guid == known)
            return name;
    }
    return guid;
}

/// Sectors to bytes; nothing when the numbers are not inside the file.
std::optional<PartitionInfo> placed(const MediaFile& file, std::uint64_t first_sector,
                                    std::uint64_t sectors, std::uint64_t sector_size) {
    const std::uint64_t total = file.size_bytes() / sector_size;
    if (sectors == 0 || !range_inside(first_sector, sectors, total))
        return std::nullopt;
    PartitionInfo partition;
    partition.start_bytes = first_sector * sector_size;
    partition.size_bytes = sectors * sector_size;
    partition.filesystem =
        recognise_filesystem(file.window(partition.start_bytes, partition.size_bytes));
    return partition;
}

/// The name field is UTF-16LE; what is not ASCII becomes '?'.
std::string gpt_name(ByteView field) {
    std::string name;
    for (std::size_t i = 0; i + 1 < field.size(); i += 2) {
        const auto unit = load_le<std::uint16_t>(field, i);
        if (unit == 0)
            break;
        name += unit >= 0x20 && unit < 0x7f ? static_cast<char>(unit) : '?';
    }
    return name;
}

struct GptHeader {
    std::uint64_t table_sector = 0;
    std::uint32_t entries = 0, entry_bytes = 0, table_crc = 0;
    bool intact = false;
};

std::optional<GptHeader> read_gpt_header(const MediaFile& file, std::uint64_t sector_size) {
    if (!file.has(sector_size, "EFI PART"))
        return std::nullopt;
    std::vector<std::byte> sector =
        file.read_some(sector_size, std::min<std::size_t>(sector_size, max_gpt_header_bytes));
    if (sector.size() < 92)
        return std::nullopt;
    GptHeader header;
    header.table_sector = load_le<std::uint64_t>(sector, 72);
    header.entries = load_le<std::uint32_t>(sector, 80);
    header.entry_bytes = load_le<std::uint32_t>(sector, 84);
    header.table_crc = load_le<std::uint32_t>(sector, 88);
    const std::uint32_t header_bytes = load_le<std::uint32_t>(sector, 12);
    const std::uint32_t crc = load_le<std::uint32_t>(sector, 16);
    if (header_bytes >= 92 && header_bytes <= sector.size()) {
        store_le<std::uint32_t>(sector, 16, 0);
        header.intact = crc32(ByteView(sector).first(header_bytes)) == crc;
    }
    return header;
}

void read_gpt_entries(const MediaFile& file, const GptHeader& header, std::uint64_t sector_size,
                      MediaInfo& info) {
    if (header.entry_bytes < 128 || header.entry_bytes > 4096 || header.entries > max_gpt_entries ||
        header.table_sector > file.size_bytes() / sector_size) {
        info.notes.push_back("damaged: the partition table's place makes no sense");
        return;
    }
    const std::size_t table_bytes = static_cast<std::size_t>(header.entries) * header.entry_bytes;
    const auto table = file.read_some(header.table_sector * sector_size, table_bytes);
    if (table.size() != table_bytes) {
        info.notes.push_back("cut short: the partition table is not all there");
        return;
    }
    if (crc32(table) != header.table_crc)
        info.notes.push_back("damaged: wrong checksum of the partition table");
    for (std::uint32_t i = 0; i < header.entries; ++i) {
        const ByteView entry = ByteView(table).subspan(
            static_cast<std::size_t>(i) * header.entry_bytes, header.entry_bytes);
        if (std::all_of(entry.begin(), entry.begin() + 16,
                        [](std::byte b) { return b == std::byte{0}; }))
            continue;
        const auto first = load_le<std::uint64_t>(entry, 32);
        const auto last = load_le<std::uint64_t>(entry, 40);
        auto partition = last >= first && last != ~0ull
                             ? placed(file, first, last - first + 1, sector_size)
                             : std::nullopt;
        if (!partition) {
            info.notes.push_back(cat("damaged: partition ", i + 1, " leaves the disk"));
            continue;
        }
        partition->number = i + 1;
        partition->type = gpt_type_name(uuid_text(entry.first(16), true));
        partition->name = gpt_name(entry.subspan(56, 72));
        info.partitions.push_back(std::move(*partition));
    }
}

bool has_boot_code(ByteView sector) noexcept {
    return std::any_of(sector.begin(), sector.begin() + 440,
                       [](std::byte b) { return b != std::byte{0}; });
}

} // namespace

bool recognise_gpt(const MediaFile& file, MediaInfo& info) {
    for (const std::uint64_t sector_size : {512ull, 4096ull}) {
        const auto header = read_gpt_header(file, sector_size);
        if (!header)
            continue;
        info.kind = MediaKind::partitioned_disk;
        info.description = sector_size == 512 ? "disk image with a GPT"
                                              : "disk image with a GPT of 4096-byte sectors";
        if (!header->intact)
            info.notes.push_back("damaged: wrong checksum of the GPT header");
        read_gpt_entries(file, *header, sector_size, info);
        const auto mbr = file.block<512>(0);
        info.boot_code = mbr && has_boot_code(*mbr);
        return true;
    }
    return false;
}

bool recognise_mbr(const MediaFile& file, MediaInfo& info) {
    constexpr std::size_t entry_base = 446;
    constexpr std::size_t entry_bytes = 16;
    const auto sector = file.block<512>(0);
    if (!sector || load_le<std::uint16_t>(*sector, 510) != 0xaa55)
        return false;

    std::vector<PartitionInfo> partitions;
    std::vector<std::string> notes;
    for (unsigned i = 0; i < 4; ++i) {
        const std::size_t entry = entry_base + i * entry_bytes;
        const auto status = load_le<std::uint8_t>(*sector, entry);
        const auto type = load_le<std::uint8_t>(*sector, entry + 4);
        if ((status & 0x7f) != 0)
            return false; // code or data, not a partition table
        if (type == 0)
            continue;
        auto partition = placed(file, load_le<std::uint32_t>(*sector, entry + 8),
                                load_le<std::uint32_t>(*sector, entry + 12), 512);
        if (!partition) {
            notes.push_back(cat("damaged: partition ", i + 1, " leaves the disk"));
            continue;
        }
        partition->number = i + 1;
        partition->type = mbr_type_name(type);
        partition->active = status == 0x80;
        partitions.push_back(std::move(*partition));
    }
    info.boot_code = has_boot_code(*sector);
    if (partitions.empty() && notes.empty() && !info.boot_code)
        return false;
    info.kind = MediaKind::partitioned_disk;
    info.description = partitions.empty() ? "disk image with a boot sector and no partitions"
                                          : "disk image with an MBR partition table";
    info.partitions = std::move(partitions);
    info.notes.insert(info.notes.end(), notes.begin(), notes.end());
    return true;
}

} // namespace coldstart
