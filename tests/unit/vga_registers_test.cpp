// The VGA's registers, planes and DISPI, as drivers rely on them.
#include "devices/vga/std_vga.h"
#include "devices/vga/vga_legacy.h"
#include "tests/fakes/fake_pci.h"
#include "tests/unit/vga_guest.h"
#include "vmm/base/error.h"

#include <catch2/catch.hpp>

using namespace coldstart;
using namespace coldstart::vga;
using fakes::VgaGuest;

TEST_CASE("indexed registers hold the bits that exist", "[vga]") {
    VgaGuest guest;
    guest.set_sequencer(1, 0xff);
    CHECK(guest.in(0x3c5) == 0x3d);
    guest.set_graphics(6, 0xff);
    CHECK(guest.in(0x3cf) == 0x0f);
    guest.out(0x3c4, 0xff); // only three bits of index
    CHECK(guest.in(0x3c4) == 7);
    guest.out(0x3ce, 0x0f); // no such register
    guest.out(0x3cf, 0x55);
    CHECK(guest.in(0x3cf) == 0);
    guest.set_crtc(0x18, 0xa5);
    CHECK(guest.in(0x3d5) == 0xa5);
    guest.set_crtc(0x19, 0xa5);
    CHECK(guest.in(0x3d5) == 0);
    guest.out16(0x3c4, 0x0b02); // index 2, value 0xb in one word
    CHECK(guest.in16(0x3c4) == 0x0b02);
}

TEST_CASE("the attribute controller takes index and data in turn", "[vga]") {
    VgaGuest guest;
    guest.in(0x3da);
    guest.out(0x3c0, 0x13);
    guest.out(0x3c0, 0xff);
    CHECK(guest.in(0x3c1) == 0x0f);
    guest.out(0x3c0, 0x05); // an index again
    CHECK(guest.in(0x3c0) == 0x05);
    guest.in(0x3da);
    guest.out(0x3c0, 0x20 | 0x07);
    CHECK(guest.in(0x3c0) == 0x27);
    guest.out(0x3c0, 0x2a);
    CHECK(guest.in(0x3c1) == 0x2a);
}

TEST_CASE("the colour bit moves the CRT controller and status", "[vga]") {
    VgaGuest guest;
    guest.set_crtc(0x0a, 0x15);
    CHECK(guest.in(0x3b5) == 0xff);
    guest.out(0x3c2, 0x66);
    CHECK(guest.in(0x3cc) == 0x66);
    CHECK(guest.in(0x3d5) == 0xff);
    CHECK(guest.in(0x3b4) == 0x0a);
    CHECK(guest.in(0x3b5) == 0x15);
    guest.out(0x3d5, 0x01); // goes nowhere
    CHECK(guest.in(0x3b5) == 0x15);
    const auto first = guest.in(0x3ba);
    CHECK((guest.in(0x3ba) ^ first) == 0x09); // a retrace begins, or ends
    CHECK((guest.in(0x3ba) ^ first) == 0x00);
}

TEST_CASE("protected CRTC registers keep all but the line compare bit", "[vga]") {
    VgaGuest guest;
    for (unsigned index = 0; index < 8; ++index)
        guest.set_crtc(index, 0x11 * index);
    guest.set_crtc(0x11, 0x8e);
    for (unsigned index = 0; index < 8; ++index)
        guest.set_crtc(index, 0xff ^ 0x11 * index);
    for (unsigned index = 0; index < 7; ++index)
        CHECK(guest.crtc(index) == 0x11 * index);
    CHECK(guest.crtc(7) == (0x77 & ~0x10)); // bit 4 took the new value, which is 0
    guest.set_crtc(0x11, 0x0e);
    guest.set_crtc(1, 0x4f);
    CHECK(guest.crtc(1) == 0x4f);
}

TEST_CASE("the DAC counts components and colours", "[vga]") {
    VgaGuest guest;
    guest.out(0x3c8, 0xfe);
    CHECK(guest.in(0x3c7) == 0);
    for (unsigned value : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u})
        guest.out(0x3c9, value); // colours 254, 255, and 0
    CHECK(guest.in(0x3c8) == 1);
    guest.out(0x3c7, 0xff);
    CHECK(guest.in(0x3c7) == 3);
    for (unsigned value : {4u, 5u, 6u, 7u, 8u, 9u})
        CHECK(guest.in(0x3c9) == value);
    guest.out(0x3c8, 9);
    guest.out(0x3c9, 63); // red alone changes nothing
    guest.out(0x3c7, 9);
    CHECK(guest.in(0x3c9) == 0);
    guest.out(0x3c6, 0x0f);
    CHECK(guest.in(0x3c6) == 0x0f);
}

TEST_CASE("write modes of the graphics controller", "[vga]") {
    VgaGuest guest;
    guest.planar_graphics();
    guest.set_sequencer(2, 0x0f);
    guest.poke(0xa0000, 0xa5);
    CHECK(guest.planes(0) == 0xa5a5a5a5);

    SECTION("the map mask chooses planes") {
        guest.set_sequencer(2, 0x05);
        guest.poke(0xa0000, 0x3c);
        CHECK(guest.planes(0) == 0xa53ca53c);
    }
    SECTION("mode 0: set/reset, rotation and bit mask") {
        guest.set_graphics(0, 0x0a);
        guest.set_graphics(1, 0x03); // planes 0 and 1 from set/reset: 0 and 1
        guest.set_graphics(3, 4);    // the others: rotated by four
        guest.set_graphics(8, 0xf0);
        guest.peek(0xa0000);
        guest.poke(0xa0000, 0x1e);
        CHECK(guest.planes(0) == 0xe5e5f505);
    }
    SECTION("mode 0 with functions on the latches") {
        const std::pair<unsigned, std::uint32_t> results[] = {
            {0x08, 0x24242424}, {0x10, 0xbdbdbdbd}, {0x18, 0x99999999}};
        for (const auto& [function, expected] : results) {
            guest.set_graphics(3, 0);
            guest.poke(0xa0000, 0xa5);
            guest.peek(0xa0000);
            guest.set_graphics(3, function);
            guest.poke(0xa0000, 0x3c);
            CHECK(guest.planes(0) == expected);
        }
    }
    SECTION("mode 1 copies the latches") {
        guest.set_bytes(0, 0x12345678);
        guest.peek(0xa0000);
        guest.set_graphics(5, 1);
        guest.poke(0xa0005, 0xff);
        CHECK(guest.planes(5) == 0x12345678);
    }
    SECTION("mode 2: a bit of the value for each plane") {
        guest.set_graphics(5, 2);
        guest.set_graphics(8, 0x0f);
        guest.peek(0xa0000);
        guest.poke(0xa0000, 0x06);
        CHECK(guest.planes(0) == 0xa0afafa0);
    }
    SECTION("mode 3: the value narrows the bit mask, set/reset is the colour") {
        guest.set_graphics(5, 3);
        guest.set_graphics(0, 0x01);
        guest.set_graphics(8, 0x3f);
        guest.peek(0xa0000);
        guest.poke(0xa0000, 0xfc);
        CHECK(guest.planes(0) == 0x818181bd);
    }
}

TEST_CASE("read modes of the graphics controller", "[vga]") {
    VgaGuest guest;
    guest.planar_graphics();
    guest.set_bytes(3, 0x44332211);
    for (unsigned plane = 0; plane < 4; ++plane) {
        guest.set_graphics(4, plane);
        CHECK(guest.peek(0xa0003) == 0x11 * (plane + 1));
    }
    guest.set_bytes(3, 0x000f00ff); // dots 0..3 colour 1, dots 4..7 colour 5
    guest.set_graphics(5, 8);
    guest.set_graphics(2, 0x01);
    guest.set_graphics(7, 0x0f);
    CHECK(guest.peek(0xa0003) == 0xf0);
    guest.set_graphics(7, 0x0b); // plane 2 does not matter
    CHECK(guest.peek(0xa0003) == 0xff);
}

TEST_CASE("chain 4 and odd/even addressing", "[vga]") {
    VgaGuest guest;
    guest.set_sequencer(2, 0x0f);
    guest.set_graphics(8, 0xff);
    guest.set_graphics(6, 0x05);
    guest.set_sequencer(4, 0x0e);
    guest.poke32(0xa0010, 0x44332211);
    CHECK(guest.planes(4) == 0x44332211);
    CHECK(guest.peek(0xa0012) == 0x33);
    guest.set_sequencer(2, 0x0d); // without plane 1
    guest.poke32(0xa0010, 0xaaaaaaaa);
    CHECK(guest.planes(4) == 0xaaaa22aa);

    guest.set_sequencer(4, 0x02);
    guest.set_sequencer(2, 0x03);
    guest.set_graphics(5, 0x10);
    guest.set_graphics(6, 0x0e);
    guest.set_bytes(7, 0);
    guest.poke16(0xb800e, 0x1f41);
    CHECK(guest.planes(7) == 0x1f41);
    CHECK(guest.peek(0xb800f) == 0x1f);
}

TEST_CASE("the memory map select places the window", "[vga]") {
    VgaGuest guest;
    guest.planar_graphics();
    guest.set_bytes(0, 0x77);
    const bool mapped[4][3] = {// at 0xa0000, 0xb0000, 0xb8000
                               {true, false, false},
                               {true, false, false},
                               {false, true, false},
                               {false, false, true}};
    for (unsigned select = 0; select < 4; ++select) {
        guest.set_graphics(6, 1 | select << 2);
        CAPTURE(select);
        CHECK((guest.peek(0xa0000) == 0x77) == mapped[select][0]);
        CHECK((guest.peek(0xb0000) == 0x77) == mapped[select][1]);
        CHECK((guest.peek(0xb8000) == 0x77) == mapped[select][2]);
    }
}

TEST_CASE("DISPI tells its version and its memory", "[vga]") {
    VgaGuest guest;
    CHECK(guest.dispi(0) == 0xb0c5);
    for (unsigned id = 0xb0c0; id <= 0xb0c5; ++id) {
        guest.set_dispi(0, id);
        CHECK(guest.dispi(0) == id);
    }
    guest.set_dispi(0, 0xb0c6);
    guest.set_dispi(0, 0x1234);
    CHECK(guest.dispi(0) == 0xb0c5);
    CHECK(guest.dispi(10) == 256); // 64 KiB each
    CHECK(guest.dispi(11) == 0);
    guest.set_dispi(4, 2);
    CHECK(guest.dispi(1) >= 1920);
    CHECK(guest.dispi(2) >= 1200);
    CHECK(guest.dispi(3) == 32);
    guest.set_dispi(4, 0);
    CHECK(guest.dispi(1) == 0);
}

TEST_CASE("a DISPI mode is made to fit", "[vga]") {
    VgaGuest guest;
    guest.set_mode(1027, 768, 32);
    CHECK(guest.dispi(1) == 1024);
    CHECK(guest.dispi(6) == 1024);
    CHECK(guest.dispi(7) == 4096);
    CHECK(guest.window_is_linear());
    guest.set_dispi(6, 2048);
    CHECK(guest.dispi(6) == 2048);
    CHECK(guest.dispi(7) == 2048);
    guest.set_dispi(9, 100);
    CHECK(guest.dispi(9) == 100);
    guest.set_dispi(9, 2000); // 768 lines from there are not there
    CHECK(guest.dispi(9) == 0);
    guest.set_dispi(8, 65535);
    guest.set_dispi(1, 65535);
    guest.set_dispi(2, 65535);
    guest.set_dispi(3, 17);
    CHECK(guest.dispi(1) == 16000);
    CHECK(guest.dispi(3) == 8);
    CHECK(std::size_t{guest.dispi(6)} * guest.dispi(2) <= memory_bytes);
    guest.set_dispi(1, 0);
    guest.set_dispi(2, 0);
    CHECK(guest.dispi(1) == 8);
    CHECK(guest.dispi(2) == 1);
}

TEST_CASE("enabling a DISPI mode clears the screen unless asked not to", "[vga]") {
    VgaGuest guest;
    guest.set_bytes(0, 0x12345678);
    guest.set_mode(640, 480, 32, 0x80);
    CHECK(guest.planes(0) == 0x12345678);
    guest.set_dispi(4, 0);
    guest.set_mode(640, 480, 32);
    CHECK(guest.planes(0) == 0);
}

TEST_CASE("the window shows a bank of the frame buffer", "[vga]") {
    VgaGuest guest;
    guest.set_mode(1024, 768, 8);
    guest.set_graphics(8, 0x0f); // no matter in packed modes
    guest.set_dispi(5, 3);
    guest.poke(0xa1234, 0x5a);
    CHECK(guest.frame_buffer(0x31234, 1) == 0x5a);
    CHECK(guest.peek(0xa1234) == 0x5a);
    guest.set_dispi(5, 0x1ff); // banks are counted modulo 256
    CHECK(guest.dispi(5) == 0xff);
    guest.poke(0xaffff, 0xa5);
    CHECK(guest.frame_buffer(memory_bytes - 1, 1) == 0xa5);
    guest.set_graphics(6, 0x01); // 128 KiB: the second half is beyond the memory
    guest.poke(0xb0000, 0xa5);
    CHECK(guest.peek(0xb0000) == 0xff);
}

TEST_CASE("BAR 2 leads to the same registers", "[vga]") {
    VgaGuest guest;
    guest.mmio(0x404, 1, 0x02);
    guest.mmio(0x405, 1, 0x0f);
    CHECK(guest.in(0x3c5) == 0x0f);
    CHECK(guest.mmio(0x404, 2) == 0x0f02);
    CHECK(guest.mmio(0x500, 2) == 0xb0c5);
    guest.mmio(0x502, 2, 800);
    guest.mmio(0x504, 4, 32u << 16 | 600);
    CHECK(guest.dispi(1) == 800);
    CHECK(guest.dispi(2) == 600);
    CHECK(guest.dispi(3) == 32);
    CHECK(guest.mmio(0x514, 2) == 256);
    CHECK(guest.mmio(0x600, 4) == 8);
    CHECK(guest.mmio(0x604, 4) == 0x1e1e1e1e);
    guest.mmio(0x604, 4, 0xbebebebe);
    CHECK(guest.mmio(0x604, 4) == 0xbebebebe);
    guest.mmio(0x604, 4, 0);
    CHECK(guest.mmio(0x604, 4) == 0xbebebebe);
    CHECK(guest.mmio(0x516, 2) == 0xffff);
}

TEST_CASE("BAR 2 begins with an EDID block", "[vga]") {
    VgaGuest guest;
    CHECK(guest.mmio(0, 8) == 0x00ffffffffffff00);
    CHECK(guest.mmio(0x12, 2) == 0x0401);
    unsigned sum = 0;
    for (unsigned offset = 0; offset < 128; ++offset)
        sum += static_cast<unsigned>(guest.mmio(offset, 1));
    CHECK(sum % 256 == 0);
    // The monitor's own mode: pixel clock, active width and height.
    CHECK(guest.mmio(0x36, 2) == 6500);
    CHECK((guest.mmio(0x38, 1) | (guest.mmio(0x3a, 1) & 0xf0) << 4) == 1024);
    CHECK((guest.mmio(0x3b, 1) | (guest.mmio(0x3d, 1) & 0xf0) << 4) == 768);
    CHECK(guest.mmio(0x80, 4) == 0);
    guest.mmio(0, 4, 0);
    CHECK(guest.mmio(0, 4) == 0xffffff00);
}

TEST_CASE("the function is what drivers look for", "[vga]") {
    VgaGuest guest;
    StdVga& function = guest.function;
    CHECK(function.config_read(0x00, 4) == 0x11111234);
    CHECK(function.config_read(0x08, 4) == 0x03000002);
    CHECK(function.config_read(0x2c, 4) == 0x11001af4);
    CHECK(function.config_read(0x3d, 1) == 0);
    for (const auto& [bar, size] : {std::pair{0x10u, 16u << 20}, {0x18u, 4096u}}) {
        function.config_write(bar, 4, 0xffffffff);
        CHECK((function.config_read(bar, 4) & ~0xfu) == ~(size - 1));
    }
    CHECK((function.config_read(0x10, 4) & 0xf) == 8);
    CHECK((function.config_read(0x18, 4) & 0xf) == 0);
    function.config_write(0x10, 4, 0xe0000000);
    function.config_write(0x18, 4, 0xe1000000);
    function.config_write(0x04, 2, 2);
    CHECK(guest.placer.where(function, 0) == 0xe0000000);
    CHECK(guest.placer.where(function, 1) == 0xe1000000);
}

TEST_CASE("a VGA BIOS is shown by the ROM BAR, and checked", "[vga]") {
    fakes::FakePlacer placer;
    std::vector<std::byte> rom(5 * 512);
    rom[0] = std::byte{0x55};
    rom[1] = std::byte{0xaa};
    rom[2] = std::byte{5};
    rom[700] = std::byte{0x42};
    StdVga function(placer, rom);
    REQUIRE(function.regions().size() == 3);
    CHECK(function.regions()[2].size_bytes == 4096);
    CHECK(function.regions()[2].memory_access == MemoryAccess::read_only);
    CHECK(function.read(2, 700, 1) == 0x42);
    function.write(2, 700, 1, 0);
    CHECK(function.read(2, 700, 1) == 0x42);
    rom[2] = std::byte{6};
    CHECK_THROWS_AS(StdVga(placer, rom), Error);
    rom[0] = std::byte{0};
    CHECK_THROWS_AS(StdVga(placer, rom), Error);
}

TEST_CASE("both doors lead to one adapter, saved once", "[vga]") {
    VgaGuest guest;
    guest.set_mode(800, 600, 16);
    guest.set_bytes(5, 0x01020304);
    StateWriter function_state, legacy_state;
    guest.function.save(function_state);
    guest.legacy.save(legacy_state);
    CHECK(legacy_state.bytes().size() < 64);

    VgaGuest other;
    StateReader from_function(function_state.bytes()), from_legacy(legacy_state.bytes());
    other.function.restore(from_function);
    other.legacy.restore(from_legacy);
    CHECK(other.dispi(1) == 800);
    CHECK(other.planes(5) == 0x01020304);
    VgaLegacy alone(nullptr);
    StateReader again(legacy_state.bytes());
    CHECK_THROWS_AS(alone.restore(again), Error);
}
