#include "firmware-loaders/option_rom/option_rom.h"
#include "vmm/base/error.h"

#include <catch2/catch.hpp>
#include <numeric>
#include <string>

using namespace coldstart;

namespace {

unsigned sum(ByteView bytes) {
    return std::accumulate(bytes.begin(), bytes.end(), 0u,
                           [](unsigned total, std::byte value) {
                               return total + std::to_integer<unsigned>(value);
                           }) %
           256;
}

} // namespace

TEST_CASE("the kernel's option ROM is one that firmware takes", "[option_rom]") {
    const auto rom = linux_boot_rom();
    REQUIRE(rom.size() % 512 == 0);
    CHECK(load_le<std::uint16_t>(rom) == 0xaa55);
    CHECK(load_le<std::uint8_t>(rom, 2) * 512u == rom.size());
    CHECK(sum(rom) == 0);
    CHECK(load_le<std::uint16_t>(rom, 0x18) == 0); // no PCI data

    const auto pnp = load_le<std::uint16_t>(rom, 0x1a);
    REQUIRE(pnp + 0x20u < rom.size());
    CHECK(pnp % 16 == 0);
    const auto header = ByteView(rom).subspan(pnp, 0x20);
    CHECK(load_le<std::uint32_t>(header) == 0x506e5024); // "$PnP"
    CHECK(load_le<std::uint8_t>(header, 5) == 2);
    CHECK(sum(header) == 0);
    CHECK(load_le<std::uint16_t>(header, 0x16) == 0); // no BCV: it is no disk
    const auto entry = load_le<std::uint16_t>(header, 0x1a);
    CHECK((entry >= pnp + 0x20 && entry < rom.size()));
    const auto product = load_le<std::uint16_t>(header, 0x10);
    REQUIRE(product < rom.size());
    CHECK(std::string(reinterpret_cast<const char*>(rom.data() + product)) ==
          "coldstart: kernel from fw_cfg");
}

TEST_CASE("what is no option ROM is not sealed", "[option_rom]") {
    auto rom = linux_boot_rom();
    CHECK(seal_option_rom(ByteView(rom).first(rom.size() - 1)) == rom);
    CHECK(seal_option_rom(rom).size() == rom.size() + 512); // no byte left for the checksum
    CHECK_THROWS_AS(seal_option_rom(ByteView(rom).first(0x1b)), Error);
    CHECK_THROWS_AS(seal_option_rom(ByteView(rom).first(0x30)), Error);
    CHECK_THROWS_AS(seal_option_rom(std::vector<std::byte>(255 * 512)), Error);
    const auto pnp = load_le<std::uint16_t>(rom, 0x1a);
    for (const unsigned length : {1u, 0xffu}) {
        rom[pnp + 5u] = static_cast<std::byte>(length);
        CHECK_THROWS_AS(seal_option_rom(rom), Error);
    }
    rom[pnp] = std::byte{'X'};
    CHECK_THROWS_AS(seal_option_rom(rom), Error);
    rom[0] = std::byte{0};
    CHECK_THROWS_AS(seal_option_rom(rom), Error);
}
