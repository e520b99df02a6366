#include "firmware-loaders/media/media.h"

#include "firmware-loaders/media/recognisers.h"

namespace coldstart {
namespace {

bool recognise_whole_filesystem(const MediaFile& file, MediaInfo& info) {
    auto filesystem = recognise_filesystem(file);
    if (!filesystem)
        return false;
    info.kind = MediaKind::filesystem;
    info.description = filesystem->type == "swap" ? "swap area" : filesystem->type + " file system";
    // FAT and NTFS boot sectors end like an MBR.
    info.boot_code = file.has(510, "\x55\xaa") && !file.has(0, std::string_view("\0\0", 2));
    if (filesystem->size_bytes > info.size_bytes)
        info.notes.push_back("cut short: the file system is larger than the file");
    info.filesystem = std::move(filesystem);
    return true;
}

} // namespace

const char* media_kind_name(MediaKind kind) noexcept {
    switch (kind) {
    case MediaKind::empty:
        return "empty";
    case MediaKind::initrd:
        return "initrd";
    case MediaKind::compressed:
        return "compressed";
    case MediaKind::filesystem:
        return "filesystem";
    case MediaKind::partitioned_disk:
        return "partitioned-disk";
    case MediaKind::optical_disc:
        return "optical-disc";
    case MediaKind::foreign_disk:
        return "foreign-disk";
    case MediaKind::firmware:
        return "firmware";
    case MediaKind::variable_store:
        return "variable-store";
    case MediaKind::option_rom:
        return "option-rom";
    case MediaKind::unknown:
        break;
    }
    return "unknown";
}

MediaInfo identify_media(const std::string& path) {
    const MediaFile file = MediaFile::open(path);
    MediaInfo info;
    info.size_bytes = file.size_bytes();
    if (info.size_bytes == 0) {
        info.kind = MediaKind::empty;
        info.description = "empty file";
        return info;
    }
    // Order matters: a bootable ISO carries partition tables as well, a GPT disk an MBR, and a FAT
    // boot sector ends like an MBR. Firmware, known by a mere jump at its end, comes last.
    static constexpr bool (*recognisers[])(const MediaFile&, MediaInfo&) = {
        recognise_foreign_disk, recognise_archive,  recognise_option_rom,
        recognise_optical_disc, recognise_gpt,      recognise_whole_filesystem,
        recognise_mbr,          recognise_firmware,
    };
    for (const auto recognise : recognisers) {
        if (recognise(file, info))
            return info;
    }
    info.description = "nothing known";
    return info;
}

} // namespace coldstart
