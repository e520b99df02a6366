// Optical discs, and the disk formats of other machines.
#include "firmware-loaders/media/recognisers.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/text.h"

namespace coldstart {
namespace {

constexpr std::uint64_t disc_sector_bytes = 2048;
constexpr std::uint64_t first_descriptor = 16;
constexpr std::uint64_t max_descriptors = 32;

const char* el_torito_platform(unsigned id) noexcept {
    switch (id) {
    case 0x00:
        return "BIOS";
    case 0xef:
        return "UEFI";
    default:
        return "another platform";
    }
}

/// El Torito 1.0 section 2: a validation entry, the default entry, then sections of more entries,
/// 32 bytes each.
void read_boot_catalog(const MediaFile& file, std::uint64_t sector, MediaInfo& info) {
    const auto catalog = file.block<disc_sector_bytes>(sector * disc_sector_bytes);
    if (!catalog || load_le<std::uint8_t>(*catalog, 0) != 1 ||
        load_le<std::uint16_t>(*catalog, 30) != 0xaa55) {
        info.notes.push_back("damaged: the El Torito boot catalog is not there");
        return;
    }
    if (load_le<std::uint8_t>(*catalog, 32) == 0x88) {
        info.boot_code = true;
        info.notes.push_back(cat("El Torito boot entry for ",
                                 el_torito_platform(load_le<std::uint8_t>(*catalog, 1))));
    }
    for (std::size_t at = 64; at + 64 <= catalog->size(); at += 32) {
        const auto indicator = load_le<std::uint8_t>(*catalog, at);
        if (indicator != 0x90 && indicator != 0x91)
            continue;
        if (load_le<std::uint8_t>(*catalog, at + 32) == 0x88) {
            info.boot_code = true;
            info.notes.push_back(cat("El Torito boot entry for ",
                                     el_torito_platform(load_le<std::uint8_t>(*catalog, at + 1))));
        }
        if (indicator == 0x91)
            break;
    }
}

struct ForeignFormat {
    std::uint64_t offset;
    std::string_view magic;
    const char* name;
};

constexpr ForeignFormat foreign_formats[] = {
    {0, std::string_view("QFI\xfb\0\0\0\2", 8), "qcow2 image, version 2"},
    {0, std::string_view("QFI\xfb\0\0\0\3", 8), "qcow2 image, version 3"},
    {0, "QFI\xfb", "QEMU copy-on-write image"},
    {0, "KDMV", "VMDK image"},
    {0, "# Disk Descripto", "VMDK descriptor"},
    {0, "vhdxfile", "VHDX image"},
    {0, "conectix", "VHD image"},
    {64, "\x7f\x10\xda\xbe", "VDI image"},
};

} // namespace

bool recognise_optical_disc(const MediaFile& file, MediaInfo& info) {
    const std::uint64_t base = first_descriptor * disc_sector_bytes;
    if (!file.has(base + 1, "CD001"))
        return false;
    info.kind = MediaKind::optical_disc;
    info.description = "ISO 9660 disc image";
    for (std::uint64_t i = 0; i < max_descriptors; ++i) {
        const std::uint64_t at = base + i * disc_sector_bytes;
        const auto type = file.load<std::uint8_t>(at);
        if (!type || !file.has(at + 1, "CD001") || type == 0xff)
            break;
        if (type == 1) {
            const std::uint64_t sectors = file.load<std::uint32_t>(at + 80).value_or(0);
            info.filesystem = FilesystemInfo{.type = "iso9660",
                                             .label = file.text(at + 40, 32),
                                             .uuid = "",
                                             .size_bytes = sectors * disc_sector_bytes};
        } else if (type == 0 && file.has(at + 7, "EL TORITO SPECI")) {
            read_boot_catalog(file, file.load<std::uint32_t>(at + 71).value_or(0), info);
        }
    }
    if (info.filesystem && info.filesystem->size_bytes > info.size_bytes)
        info.notes.push_back("cut short: the disc is larger than the file");
    if (file.has(510, "\x55\xaa"))
        info.notes.push_back("hybrid: it has a partition table too, and works as a disk");
    return true;
}

bool recognise_foreign_disk(const MediaFile& file, MediaInfo& info) {
    for (const ForeignFormat& format : foreign_formats) {
        if (!file.has(format.offset, format.magic))
            continue;
        info.kind = MediaKind::foreign_disk;
        info.description = format.name;
        if (format.magic.starts_with("QFI")) {
            if (const auto size = file.load_big_endian<std::uint64_t>(24))
                info.notes.push_back(cat("virtual size ", format_byte_size(*size)));
            if (file.load_big_endian<std::uint64_t>(8).value_or(0) != 0)
                info.notes.push_back("has a backing file");
        }
        return true;
    }
    return false;
}

} // namespace coldstart
