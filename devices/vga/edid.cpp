#include "devices/vga/edid.h"

#include <string_view>

namespace coldstart::vga {
namespace {

using Block = std::array<std::uint8_t, edid_bytes>;

template <std::size_t N>
constexpr void put(Block& block, std::size_t at, const std::uint8_t (&bytes)[N]) {
    for (std::size_t i = 0; i < N; ++i)
        block[at + i] = bytes[i];
}

/// Three letters of five bits each, the first in the high ones.
constexpr unsigned manufacturer(std::string_view letters) {
    unsigned id = 0;
    for (const char letter : letters)
        id = id << 5 | static_cast<unsigned>(letter - '@');
    return id;
}

constexpr void put_name(Block& block, std::size_t at, std::string_view name) {
    put(block, at, {0, 0, 0, 0xfc, 0});
    for (std::size_t i = 0; i < 13; ++i)
        block[at + 5 + i] = static_cast<std::uint8_t>(i < name.size()    ? name[i]
                                                      : i == name.size() ? '\n'
                                                                         : ' ');
}

constexpr Block make() {
    Block block{};
    put(block, 0x00, {0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0});
    block[0x08] = static_cast<std::uint8_t>(manufacturer("CST") >> 8);
    block[0x09] = manufacturer("CST") & 0xff;
    put(block, 0x0a, {1, 0});   // product
    block[0x11] = 36;           // made in 1990 + 36
    put(block, 0x12, {1, 4});   // EDID 1.4
    block[0x14] = 0xa0;         // digital, 8 bits a colour
    put(block, 0x15, {26, 20}); // size in cm
    block[0x17] = 120;          // gamma 2.2
    block[0x18] = 0x06;         // sRGB; the first timing is the monitor's own
    put(block, 0x19, {0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54}); // sRGB
    put(block, 0x23, {0x21, 0x08, 0}); // 640x480, 800x600 and 1024x768 at 60 Hz
    // Width and aspect ratio: 1280x720, x800, x1024; 1440x900; 1600x1200; 1680x1050; 1920x1080,
    // x1200.
    put(block, 0x26,
        {0x81, 0xc0, 0x81, 0x00, 0x81, 0x80, 0x95, 0x00, 0xa9, 0x40, 0xb3, 0x00, 0xd1, 0xc0, 0xd1,
         0x00});
    // 1024x768 at 60 Hz: 65 MHz, 1344 by 806 with blanking, both syncs negative.
    put(block, 0x36,
        {0x64, 0x19, 0x00, 0x40, 0x41, 0x00, 0x26, 0x30, 0x18, 0x88, 0x36, 0x00, 0x04, 0xc3, 0x10,
         0x00, 0x00, 0x18});
    // 50 to 75 Hz, 30 to 110 kHz, up to 300 MHz.
    put(block, 0x48,
        {0, 0, 0, 0xfd, 0, 50, 75, 30, 110, 30, 1, '\n', ' ', ' ', ' ', ' ', ' ', ' '});
    put_name(block, 0x5a, "coldstart");
    put(block, 0x6c, {0, 0, 0, 0x10});
    unsigned sum = 0;
    for (const std::uint8_t byte : block)
        sum += byte;
    block[0x7f] = static_cast<std::uint8_t>(0x100 - sum % 0x100);
    return block;
}

} // namespace

const Block& edid() noexcept {
    static constexpr Block block = make();
    return block;
}

} // namespace coldstart::vga
