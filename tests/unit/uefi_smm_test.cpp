// Telling UEFI firmware that needs system management mode from other images.
#include "firmware-loaders/uefi/uefi_smm.h"
#include "tests/unit/loader_images.h"

#include <array>
#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <optional>
#include <span>
#include <string>

using namespace coldstart;
using namespace coldstart::images;

namespace {

constexpr std::array<unsigned char, 16> lzma_guid = {
    0x98, 0x58, 0x4e, 0xee, 0x14, 0x39, 0x59, 0x42, 0x9d, 0x6e, 0xdc, 0x7b, 0xd7, 0x94, 0x03, 0xcf};
constexpr std::array<unsigned char, 16> smm_ipl = {0xda, 0xa6, 0xa2, 0x2f, 0xd5, 0x11, 0xc3, 0x4d,
                                                   0x99, 0x9a, 0x74, 0x96, 0x48, 0xb0, 0x3c, 0x56};

constexpr std::size_t section_at = 5000;

template <typename Container>
void put(Bytes& image, std::size_t at, const Container& what) {
    std::ranges::copy(std::as_bytes(std::span(what)), image.data() + at);
}

/// A GUID-defined section whose data is `contents`, packed, in the middle of an image.
Bytes image_with(ByteView contents, std::size_t header_bytes = 24) {
    const Bytes packed = pack(Compression::lzma, contents);
    Bytes image(section_at + header_bytes + packed.size() + 3000, std::byte{0xff});
    put(image, section_at, std::array<unsigned char, 4>{0, 0, 1, 2});
    put(image, section_at + 4, lzma_guid);
    image[section_at + 20] = static_cast<std::byte>(header_bytes);
    image[section_at + 21] = std::byte{0};
    put(image, section_at + header_bytes, packed);
    return image;
}

Bytes volume(bool with_smm) {
    Bytes bytes = pattern(40000);
    if (with_smm)
        std::ranges::copy(std::as_bytes(std::span(smm_ipl)), bytes.begin() + 12344);
    return bytes;
}

} // namespace

TEST_CASE("the driver that loads SMM is found in a packed volume", "[loaders]") {
    CHECK(is_uefi_with_smm(image_with(volume(true))));
    CHECK_FALSE(is_uefi_with_smm(image_with(volume(false))));
    CHECK(is_uefi_with_smm(image_with(volume(true), 40))); // the header says where the data is
    const Bytes first = image_with(volume(false)), second = image_with(volume(true));
    Bytes two(first.size() + second.size());
    put(two, 0, first);
    put(two, first.size(), second);
    CHECK(is_uefi_with_smm(two));
    CHECK(is_uefi_with_smm(volume(true))); // not packed at all
    CHECK_FALSE(is_uefi_with_smm({}));
}

TEST_CASE("a UEFI image has a firmware volume at a page", "[loaders]") {
    Bytes image(3 * page_size_bytes, std::byte{0});
    CHECK_FALSE(is_uefi(image));
    CHECK_FALSE(is_uefi(Bytes(20)));
    put(image, page_size_bytes + 40, std::array<char, 4>{'_', 'F', 'V', 'H'});
    CHECK(is_uefi(image));
    CHECK_FALSE(is_uefi(ByteView(image).subspan(16)));
    CHECK_FALSE(is_uefi(ByteView(image).first(page_size_bytes + 42)));
}

TEST_CASE("a packed volume that is cut or damaged holds nothing", "[loaders]") {
    const Bytes whole = image_with(volume(true));
    constexpr std::size_t data = section_at + 24;
    for (const std::size_t size : {section_at + 4, section_at + 20, data - 2, data, data + 20})
        CHECK_FALSE(is_uefi_with_smm(ByteView(whole).first(size)));
    Bytes damaged = whole;
    damaged[data] = std::byte{0xff}; // the properties of LZMA
    CHECK_FALSE(is_uefi_with_smm(damaged));
    damaged = whole;
    damaged[section_at + 21] = std::byte{0xff}; // the data would begin beyond the end
    CHECK_FALSE(is_uefi_with_smm(damaged));
    Bytes guid_first(64, std::byte{0x18});
    put(guid_first, 0, lzma_guid);
    CHECK_FALSE(is_uefi_with_smm(guid_first));
}

TEST_CASE("OVMF as Debian builds it, with SMM and without", "[loaders]") {
    const auto answer = [](const char* name) -> std::optional<bool> {
        std::ifstream file(std::string("/usr/share/OVMF/") + name, std::ios::binary);
        if (!file)
            return std::nullopt;
        const std::string text((std::istreambuf_iterator<char>(file)), {});
        return is_uefi_with_smm(std::as_bytes(std::span(text)));
    };
    if (!answer("OVMF_CODE_4M.fd") || !answer("OVMF_CODE_4M.secboot.fd")) {
        WARN("skipped: no OVMF here (package ovmf)");
        return;
    }
    CHECK(answer("OVMF_CODE_4M.fd") == false);
    CHECK(answer("OVMF_CODE_4M.secboot.fd") == true);
}
