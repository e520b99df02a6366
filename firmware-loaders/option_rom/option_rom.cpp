#include "firmware-loaders/option_rom/option_rom.h"

#include "vmm/base/error.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>

namespace coldstart {

extern const ByteView linux_rom_bytes; // assembled at build time

namespace {

constexpr std::size_t block_bytes = 512;
constexpr std::size_t blocks_max = 0xff;
constexpr std::size_t size_at = 2;
constexpr std::size_t pnp_pointer_at = 0x1a;
constexpr std::size_t pnp_length_at = 5, pnp_checksum_at = 9; // length in units of 16 bytes
constexpr std::size_t pnp_bytes = 0x20;
constexpr std::uint32_t pnp_signature = 0x506e5024; // "$PnP"

/// What makes the sum of `bytes` zero when `bytes` has a zero in its place.
std::byte checksum(ByteView bytes) {
    const unsigned sum =
        std::accumulate(bytes.begin(), bytes.end(), 0u, [](unsigned total, std::byte value) {
            return total + std::to_integer<unsigned>(value);
        });
    return static_cast<std::byte>(-sum);
}

} // namespace

std::vector<std::byte> seal_option_rom(ByteView image) {
    // The last byte is the checksum's.
    const std::size_t blocks = (image.size() + 1 + block_bytes - 1) / block_bytes;
    if (blocks > blocks_max || image.size() < pnp_pointer_at + 2 ||
        load_le<std::uint16_t>(image) != 0xaa55)
        throw Error("option ROM: not an image of at most 127 KiB that begins with 55 AA");
    const std::size_t pnp = load_le<std::uint16_t>(image, pnp_pointer_at);
    if (!range_inside(pnp, pnp_bytes, image.size()) ||
        load_le<std::uint32_t>(image, pnp) != pnp_signature)
        throw Error("option ROM: it has no $PnP header where it says");
    const std::size_t pnp_size = std::to_integer<std::size_t>(image[pnp + pnp_length_at]) * 16;
    if (pnp_size < pnp_bytes || !range_inside(pnp, pnp_size, image.size()))
        throw Error("option ROM: its $PnP header has no sane length");

    std::vector<std::byte> rom(image.begin(), image.end());
    rom.resize(blocks * block_bytes);
    rom[size_at] = static_cast<std::byte>(blocks);
    rom[pnp + pnp_checksum_at] = std::byte{0};
    rom[pnp + pnp_checksum_at] = checksum(ByteView(rom).subspan(pnp, pnp_size));
    rom.back() = checksum(rom);
    return rom;
}

std::vector<std::byte> linux_boot_rom() {
    return seal_option_rom(linux_rom_bytes);
}

} // namespace coldstart
