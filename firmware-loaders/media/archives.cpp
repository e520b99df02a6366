// Initial RAM disks: cpio "newc" archives one after the other, each perhaps compressed.
// Linux Documentation/driver-api/early-userspace/buffer-format.rst
#include "firmware-loaders/media/recognisers.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/text.h"

#include <charconv>

namespace coldstart {
namespace {

constexpr std::size_t header_bytes = 110;
constexpr std::uint64_t max_name_bytes = 4096; // PATH_MAX
constexpr std::uint64_t max_entries = 2'000'000;
constexpr unsigned max_parts = 16;

struct Compression {
    std::string_view magic;
    const char* name;
};

// LZ4: the legacy frame, the only one Linux unpacks.
constexpr Compression compressions[] = {
    {"\x1f\x8b", "gzip"},
    {"\xfd"
     "7zXZ",
     "xz"},
    {"\x28\xb5\x2f\xfd", "zstd"},
    {"\x02\x21\x4c\x18", "lz4"},
    {"\x89LZO", "lzo"},
    {std::string_view("\x5d\0\0", 3), "lzma"},
    {"BZh", "bzip2"},
};

const char* compression_at(const MediaFile& file, std::uint64_t offset) noexcept {
    for (const Compression& compression : compressions) {
        if (file.has(offset, compression.magic))
            return compression.name;
    }
    return nullptr;
}

struct Archive {
    std::uint64_t entries = 0, end = 0;
    bool has_init = false, has_microcode = false;
    const char* damage = nullptr;
};

/// One of the header's fields: eight hexadecimal digits.
std::optional<std::uint32_t> field(ByteView header, std::size_t index) noexcept {
    const auto* first = reinterpret_cast<const char*>(header.data()) + 6 + 8 * index;
    std::uint32_t value = 0;
    const auto result = std::from_chars(first, first + 8, value, 16);
    if (result.ec != std::errc{} || result.ptr != first + 8)
        return std::nullopt;
    return value;
}

bool is_archive_at(const MediaFile& file, std::uint64_t offset) noexcept {
    return file.has(offset, "070701") || file.has(offset, "070702");
}

/// Walks the entries from `offset` to the trailer. Each step goes forward by at least a header, and
/// file sizes are 32 bits, so that no sum can wrap.
Archive walk_archive(const MediaFile& file, std::uint64_t offset) {
    Archive archive;
    archive.end = offset;
    while (archive.entries < max_entries) {
        const auto header = file.block<header_bytes>(archive.end);
        if (!header || !is_archive_at(file, archive.end)) {
            archive.damage = header ? "damaged: no cpio header where one belongs"
                                    : "cut short: the archive has no end mark";
            return archive;
        }
        const auto data_bytes = field(*header, 6);
        const auto name_bytes = field(*header, 11);
        if (!data_bytes || !name_bytes || *name_bytes == 0 || *name_bytes > max_name_bytes) {
            archive.damage = "damaged: a cpio header makes no sense";
            return archive;
        }
        const std::uint64_t name_at = archive.end + header_bytes;
        const std::string name = file.text(name_at, *name_bytes);
        // The 4-byte alignment counts from the start of the archive, which is aligned itself.
        const std::uint64_t data_at = align_up(name_at + *name_bytes, 4);
        archive.end = align_up(data_at + *data_bytes, 4);
        if (name == "TRAILER!!!")
            return archive;
        ++archive.entries;
        archive.has_init = archive.has_init || name == "init" || name == "./init";
        archive.has_microcode = archive.has_microcode || name.starts_with("kernel/x86/microcode/");
    }
    archive.damage = "too many entries to count";
    return archive;
}

/// The next byte that is not padding; nothing when the file ends before it.
std::optional<std::uint64_t> skip_zeros(const MediaFile& file, std::uint64_t offset) {
    constexpr std::size_t chunk_bytes = 64 * KiB;
    while (offset < file.size_bytes()) {
        const auto chunk = file.read_some(offset, chunk_bytes);
        if (chunk.empty())
            break;
        for (std::size_t i = 0; i < chunk.size(); ++i) {
            if (chunk[i] != std::byte{0})
                return offset + i;
        }
        offset += chunk.size();
    }
    return std::nullopt;
}

} // namespace

bool recognise_archive(const MediaFile& file, MediaInfo& info) {
    if (const char* compression = compression_at(file, 0)) {
        // A bare "BZh" or "]" is weak evidence, hence "likely".
        info.kind = MediaKind::compressed;
        info.description = cat(compression, "-compressed data, likely an initrd");
        return true;
    }
    if (!is_archive_at(file, 0))
        return false;

    info.kind = MediaKind::initrd;
    bool has_init = false, opaque = false;
    std::optional<std::uint64_t> offset = 0;
    for (unsigned part = 0; part < max_parts && offset; ++part) {
        if (const char* compression = compression_at(file, *offset)) {
            info.notes.push_back(
                cat("then ", compression, "-compressed data, the rest of the initrd"));
            opaque = true;
            break;
        }
        if (!is_archive_at(file, *offset)) {
            info.notes.push_back(cat("damaged: unknown data at offset ", *offset));
            break;
        }
        const Archive archive = walk_archive(file, *offset);
        has_init = has_init || archive.has_init;
        info.notes.push_back(cat("cpio archive of ", archive.entries, " entries",
                                 archive.has_microcode ? ", early microcode" : "",
                                 archive.has_init ? ", with /init" : ""));
        if (archive.damage != nullptr) {
            info.notes.push_back(archive.damage);
            break;
        }
        offset = skip_zeros(file, archive.end);
    }
    info.description = opaque ? "initrd: cpio archive and compressed data" : "initrd: cpio archive";
    if (!has_init && !opaque)
        info.notes.push_back("no /init inside: the kernel will look for a root file system");
    return true;
}

} // namespace coldstart
