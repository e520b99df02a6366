#include "firmware-loaders/uefi/uefi_smm.h"

#include "firmware-loaders/decompress/codecs.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"

#include <algorithm>
#include <array>
#include <functional>
#include <string_view>

namespace coldstart {
namespace {

using Guid = std::array<std::uint8_t, 16>;

// EE4E5898-3914-4259-9D6E-DC7BD79403CF
constexpr Guid lzma_section = {0x98, 0x58, 0x4e, 0xee, 0x14, 0x39, 0x59, 0x42,
                               0x9d, 0x6e, 0xdc, 0x7b, 0xd7, 0x94, 0x03, 0xcf};
// 2FA2A6DA-11D5-4DC3-999A-749648B03C56
constexpr Guid smm_ipl_file = {0xda, 0xa6, 0xa2, 0x2f, 0xd5, 0x11, 0xc3, 0x4d,
                               0x99, 0x9a, 0x74, 0x96, 0x48, 0xb0, 0x3c, 0x56};

constexpr std::size_t section_header_bytes = 4;
constexpr std::uint64_t most_unpacked_bytes = 64 * MiB;

/// Its offset from `from` on, or the size of the image.
std::size_t find_guid(ByteView image, const Guid& guid, std::size_t from) {
    const auto wanted = std::as_bytes(std::span(guid));
    const std::boyer_moore_horspool_searcher searcher(wanted.begin(), wanted.end());
    const auto begin = image.begin() + static_cast<std::ptrdiff_t>(from);
    return static_cast<std::size_t>(std::search(begin, image.end(), searcher) - image.begin());
}

bool holds(ByteView image, const Guid& guid) {
    return find_guid(image, guid, 0) != image.size();
}

/// `at` is where the section's GUID stands; behind it the offset of the data from the section's
/// beginning.
bool section_holds(ByteView image, std::size_t at, const Guid& guid) {
    const std::size_t offset_at = at + sizeof(Guid);
    if (at < section_header_bytes || !range_inside(offset_at, 2, image.size()))
        return false;
    const std::size_t data = at - section_header_bytes + load_le<std::uint16_t>(image, offset_at);
    if (data >= image.size())
        return false;
    try {
        HostBuffer unpacked(16 * MiB, most_unpacked_bytes);
        decode_lzma(image.subspan(data), unpacked);
        return holds(unpacked.view(), guid);
    } catch (const Error&) {
        return false;
    }
}

} // namespace

bool is_uefi(ByteView image) noexcept {
    constexpr std::string_view signature = "_FVH";
    constexpr std::size_t signature_offset = 40;
    const std::string_view text(reinterpret_cast<const char*>(image.data()), image.size());
    for (std::size_t at = signature_offset; at < text.size(); at += page_size_bytes) {
        if (text.substr(at, signature.size()) == signature)
            return true;
    }
    return false;
}

bool is_uefi_with_smm(ByteView image) {
    if (holds(image, smm_ipl_file))
        return true;
    constexpr unsigned most_sections = 16; // an image has one or two
    std::size_t at = find_guid(image, lzma_section, 0);
    for (unsigned i = 0; i < most_sections && at < image.size(); ++i) {
        if (section_holds(image, at, smm_ipl_file))
            return true;
        at = find_guid(image, lzma_section, at + sizeof(Guid));
    }
    return false;
}

} // namespace coldstart
