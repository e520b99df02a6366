// Firmware images: what is taken, and what is refused before it runs.
#include "firmware-loaders/rom/rom_image.h"
#include "tests/unit/loader_images.h"

#include <catch2/catch.hpp>

using namespace coldstart;
using Catch::Contains;

namespace {

/// As firmware ends: a jump at the reset vector.
images::Bytes firmware(std::size_t size) {
    images::Bytes bytes(size, std::byte{0xff});
    bytes[size - 16] = std::byte{0xea};
    return bytes;
}

std::string refusal(const images::Bytes& bytes) {
    images::TempFolder folder;
    const std::string path = folder.write("rom", bytes);
    try {
        RomImage rom(path, "--firmware");
    } catch (const Error& error) {
        return error.what();
    }
    return "(accepted)";
}

} // namespace

TEST_CASE("ROM image: whole pages, at the end of which something stands", "[loader][rom]") {
    images::TempFolder folder;
    for (const std::size_t size : {std::size_t{4096}, std::size_t{12288}, std::size_t{256 * KiB}}) {
        images::Bytes bytes = firmware(size);
        bytes[0] = std::byte{0x55};
        const RomImage rom(folder.write("rom", bytes), "--firmware");
        REQUIRE(rom.bytes().size() == size);
        CHECK(reinterpret_cast<std::uintptr_t>(rom.bytes().data()) % 4096 == 0);
        CHECK(std::memcmp(rom.bytes().data(), bytes.data(), size) == 0);
    }
    CHECK(refusal(firmware(RomImage::max_bytes)) == "(accepted)");
}

TEST_CASE("ROM image: sizes that no firmware has", "[loader][rom]") {
    CHECK_THAT(refusal({}), Contains("empty"));
    CHECK_THAT(refusal(firmware(4095)), Contains("4095 bytes") && Contains("cut off"));
    CHECK_THAT(refusal(firmware(4097)), Contains("multiple of 4 KiB"));
    CHECK_THAT(refusal(firmware(16)), Contains("multiple of 4 KiB"));
    CHECK_THAT(refusal(firmware(RomImage::max_bytes + 4096)), Contains("at most"));
}

TEST_CASE("ROM image: a blank reset vector", "[loader][rom]") {
    for (const unsigned blank : {0x00u, 0xffu}) {
        images::Bytes bytes = firmware(8192);
        std::fill(bytes.end() - 16, bytes.end(), std::byte(blank));
        CHECK_THAT(refusal(bytes), Contains("reset vector") && Contains("--nvram"));
        bytes.back() = std::byte{0x90}; // one byte is enough
        CHECK(refusal(bytes) == "(accepted)");
    }
}

TEST_CASE("ROM image: no file", "[loader][rom]") {
    images::TempFolder folder;
    CHECK_THROWS_WITH(RomImage(folder.path() + "/none", "--firmware"), Contains("none"));
    CHECK_THROWS_AS(RomImage(folder.path(), "--firmware"), Error);
}
