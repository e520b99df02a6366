#include "firmware-loaders/decompress/decompress.h"

#include "firmware-loaders/decompress/codecs.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <array>

namespace coldstart {
namespace {

struct Format {
    Compression compression;
    std::string_view name;
    std::string_view magic;
    std::size_t (*decode)(ByteView, HostBuffer&); ///< null: known, but not unpacked here
};

using namespace std::string_view_literals;

// LZMA has no magic: its first byte packs lc, lp and pb, 0x5d being what every packer writes, and
// a dictionary size that is a multiple of 64 KiB follows.
constexpr std::array formats{
    Format{Compression::gzip, "gzip", "\x1f\x8b\x08"sv, decode_gzip},
    Format{Compression::bzip2, "bzip2", "BZh"sv, decode_bzip2},
    Format{Compression::lzma, "LZMA", "\x5d\0\0"sv, decode_lzma},
    Format{Compression::xz, "xz",
           "\xfd"
           "7zXZ\0"sv,
           decode_xz},
    Format{Compression::lzo, "LZO", "\x89LZO\0\r\n\x1a\n"sv, nullptr},
    Format{Compression::lz4_legacy, "LZ4", "\x02\x21\x4c\x18"sv, decode_lz4_legacy},
    Format{Compression::lz4_frame, "LZ4", "\x04\x22\x4d\x18"sv, decode_lz4_frame},
    Format{Compression::zstd, "Zstandard", "\x28\xb5\x2f\xfd"sv, decode_zstd},
};

constexpr std::size_t size_trailer_bytes = 4;

/// Room to set aside at once. The packed bytes say how large the result is, but a lie must not
/// cost more than about what the input's own size makes plausible; the buffer grows if need be.
/// A little more than the exact size lets a decoder see the end of its stream.
std::uint64_t expected_bytes(std::uint64_t promised, std::uint64_t packed) noexcept {
    return std::min(promised, packed * 32) + 4 * KiB;
}

struct Unpacked {
    HostBuffer bytes;
    std::size_t taken;
};

Unpacked unpack(const ImageBytes& packed, Compression compression, std::uint64_t promised) {
    const auto format = std::find_if(formats.begin(), formats.end(), [&](const Format& candidate) {
        return candidate.compression == compression;
    });
    if (format == formats.end() || format->decode == nullptr)
        throw Error(cat(packed.name(), ": ", compression_name(compression),
                        " compression can't be unpacked here"),
                    "pack it with gzip, xz, LZ4 or Zstandard instead");
    HostBuffer out(expected_bytes(promised, packed.size_bytes()), max_unpacked_bytes);
    try {
        const std::size_t taken = format->decode(packed.view(), out);
        return {std::move(out), taken};
    } catch (const Error& error) {
        throw Error(cat(packed.name(), ": ", error.what()), "copy or build the file again");
    }
}

std::uint32_t last_word(ByteView bytes) noexcept {
    return bytes.size() < size_trailer_bytes
               ? 0
               : load_le<std::uint32_t>(bytes, bytes.size() - size_trailer_bytes);
}

} // namespace

Compression detect_compression(ByteView head) noexcept {
    const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
    for (const Format& format : formats) {
        if (text.starts_with(format.magic))
            return format.compression;
    }
    return Compression::none;
}

std::string_view compression_name(Compression compression) noexcept {
    for (const Format& format : formats) {
        if (format.compression == compression)
            return format.name;
    }
    return "no";
}

ImageBytes unpack_file(const ImageBytes& packed_file, Compression compression) {
    const ImageBytes packed = packed_file.in_host_memory();
    // gzip ends in its size; of the others nothing is known.
    const std::uint64_t promised =
        compression == Compression::gzip ? last_word(packed.view()) : packed.size_bytes() * 4;
    Unpacked unpacked = unpack(packed, compression, promised);
    const ByteView rest = packed.view().subspan(unpacked.taken);
    if (std::any_of(rest.begin(), rest.end(), [](std::byte b) { return b != std::byte{0}; }))
        throw Error(cat(packed.name(), ": ", rest.size(), " bytes follow the end of its ",
                        compression_name(compression), " data"),
                    "copy or build the file again");
    return ImageBytes::in_memory(packed.name(), std::move(unpacked.bytes));
}

ImageBytes unpack_linux_payload(const ImageBytes& payload, Compression compression) {
    const ImageBytes packed = payload.in_host_memory();
    const std::uint32_t promised = last_word(packed.view());
    Unpacked unpacked = unpack(packed, compression, promised);
    const std::size_t rest = packed.view().size() - unpacked.taken;
    // gzip's size is part of its stream; behind any other format stand the 4 bytes, or nothing.
    const bool trailer_fits =
        compression == Compression::gzip ? rest == 0 : rest == 0 || rest == size_trailer_bytes;
    if (!trailer_fits || (rest != 0 && promised != unpacked.bytes.size_bytes()))
        throw Error(cat(packed.name(), ": the payload unpacks to ", unpacked.bytes.size_bytes(),
                        " bytes where its trailer says ", promised),
                    "copy or build the file again");
    return ImageBytes::in_memory(packed.name(), std::move(unpacked.bytes));
}

} // namespace coldstart
