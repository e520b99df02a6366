// The screen a VGA makes, as the host sees it.
#include "tests/unit/vga_guest.h"

#include <catch2/catch.hpp>
#include <random>

using namespace coldstart;
using namespace coldstart::vga;
using fakes::VgaGuest;

namespace {

/// What VgaGuest::text_mode loads for colour `i`, six bits widened to eight.
Rgb text_colour(unsigned i) {
    const auto wide = [](unsigned six) { return static_cast<std::uint8_t>(six << 2 | six >> 4); };
    return {wide(i * 4 & 63), wide(63 - i), wide(i % 4 * 16)};
}

} // namespace

TEST_CASE("text written at 0xb8000 is read back as lines", "[vga][screen]") {
    VgaGuest guest;
    guest.text_mode(80, 25, 16, false);
    guest.print(0, "SeaBIOS (version 1)  ", 0x07);
    guest.print(80 + 2, "\xc9\xcd\xbb \x01 \x80", 0x1f);
    guest.print(24 * 80 + 79, "!", 0x8c);
    guest.set_crtc(0x0e, 0);
    guest.set_crtc(0x0f, 85);
    const auto text = guest.function.screen().text();
    REQUIRE(text);
    CHECK(text->columns == 80);
    CHECK(text->rows == 25);
    const auto lines = text->lines();
    REQUIRE(lines.size() == 25);
    CHECK(lines[0] == "SeaBIOS (version 1)");
    CHECK(lines[1] == "  ╔═╗ ☺ Ç");
    CHECK(lines[2].empty());
    CHECK(lines[24] == std::string(79, ' ') + "!");
    CHECK(text->cursor == TextScreen::Cursor{5, 1});
    CHECK(text->cells[82] == TextCell{0xc9, 15, 1, false});
    CHECK(text->cells.back() == TextCell{'!', 12, 0, true});

    guest.set_attribute(0x10, 0x04); // without blinking: sixteen backgrounds
    guest.screen_on();
    CHECK(guest.function.screen().text()->cells.back() == TextCell{'!', 12, 8, false});
    guest.set_crtc(0x0a, 0x20);
    CHECK_FALSE(guest.legacy.screen().text()->cursor);
}

TEST_CASE("the start address scrolls text", "[vga][screen]") {
    VgaGuest guest;
    guest.text_mode(40, 25, 8, true);
    guest.print(40 * 3, "third", 7);
    guest.set_crtc(0x0d, 120);
    CHECK(guest.function.screen().text()->lines()[0] == "third");
    guest.set_crtc(0x0c, 0xff); // wraps in the planes
    guest.set_crtc(0x0d, 0xff - 39 + 0);
    CHECK(guest.function.screen().text()->rows == 25);
}

TEST_CASE("text is drawn with the font in plane 2", "[vga][screen]") {
    VgaGuest guest;
    guest.text_mode(4, 2, 4, false);
    guest.load_glyph('A', {0x81, 0x42, 0x24, 0xff});
    guest.load_glyph(0xc4, {0x01, 0x00, 0xff, 0x00});
    guest.print(0, "A\xc4", 0x2e);
    guest.print(5, "A", 0x07);
    guest.set_crtc(0x0f, 6);
    const Image image = guest.function.screen().image();
    REQUIRE(image.width == 36);
    REQUIRE(image.height == 8);
    std::string drawn;
    for (unsigned y = 0; y < 4; ++y) {
        for (unsigned x = 0; x < 18; ++x)
            drawn += image.at(x, y) == text_colour(14)  ? '#'
                     : image.at(x, y) == text_colour(2) ? '.'
                                                        : '?';
        drawn += '\n';
    }
    CHECK(drawn == "#......#........##\n"
                   ".#....#...........\n"
                   "..#..#...#########\n"
                   "########..........\n");
    CHECK(image.at(9, 4) == text_colour(7));
    CHECK(image.at(10, 4) == text_colour(0));
    // The cursor, in the colour of the character below it: 0, as nothing was printed there.
    guest.print(6, " ", 0x0c);
    const Image with_cursor = guest.function.screen().image();
    CHECK(with_cursor.at(18, 5) == text_colour(0));
    CHECK(with_cursor.at(18, 6) == text_colour(12));
    CHECK(with_cursor.at(26, 7) == text_colour(12));
}

TEST_CASE("attribute bit 3 chooses between two fonts", "[vga][screen]") {
    VgaGuest guest;
    guest.text_mode(2, 1, 2, true);
    guest.set_crtc(0x0a, 0x20);
    guest.load_glyph('A', {0xf0, 0x0f}, 0x2000); // map 4: the second 8 KiB
    guest.load_glyph('A', {0xff, 0x00}, 0x4000); // map 1
    guest.set_sequencer(3, 0x10 | 0x04);         // bit 3 clear: map 4, set: map 1
    guest.print(0, "A", 0x07);
    guest.print(1, "A", 0x0f);
    const Image image = guest.function.screen().image();
    REQUIRE(image.width == 16);
    CHECK(image.at(0, 0) == text_colour(7));
    CHECK(image.at(4, 0) == text_colour(0));
    CHECK(image.at(4, 1) == text_colour(7));
    CHECK(image.at(12, 0) == text_colour(15));
    CHECK(image.at(12, 1) == text_colour(0));
}

TEST_CASE("a blank screen is black", "[vga][screen]") {
    VgaGuest guest;
    guest.text_mode(2, 1, 2, true);
    CHECK(guest.function.screen().status().kind == ScreenStatus::Kind::text);
    CHECK(guest.function.screen().image().at(0, 0) == text_colour(0));
    guest.set_sequencer(1, 0x21);
    CHECK(guest.function.screen().status().kind == ScreenStatus::Kind::blank);
    CHECK(guest.function.screen().image().at(0, 0) == Rgb{});
    guest.set_sequencer(1, 0x01);
    guest.in(0x3da);
    guest.out(0x3c0, 0x00);
    CHECK(guest.function.screen().status().kind == ScreenStatus::Kind::blank);
}

TEST_CASE("16 colours in planes, as mode 12h has them", "[vga][screen]") {
    VgaGuest guest;
    guest.text_mode(80, 25, 16, true); // for its colours
    guest.planar_graphics();
    guest.load_crtc({0x5f, 0x4f, 0, 0, 0, 0,    0x0b, 0x3e, 0, 0x40, 0,    0,   0,
                     0,    0,    0, 0, 0, 0xdf, 0x28, 0,    0, 0,    0xe3, 0xff});
    guest.set_bytes(80 * 2 + 1, 0x80c04020); // planes 3 to 0: dots 0, 0..1, 1, 2
    const Image image = guest.function.screen().image();
    CHECK(guest.function.screen().status().kind == ScreenStatus::Kind::graphics);
    CHECK_FALSE(guest.function.screen().text());
    REQUIRE(image.width == 640);
    REQUIRE(image.height == 480);
    CHECK(image.at(8, 2) == text_colour(12));
    CHECK(image.at(9, 2) == text_colour(6));
    CHECK(image.at(10, 2) == text_colour(1));
    CHECK(image.at(11, 2) == text_colour(0));
    guest.set_attribute(0x12, 0x03); // without planes 2 and 3
    guest.screen_on();
    CHECK(guest.function.screen().image().at(9, 2) == text_colour(2));
}

TEST_CASE("256 colours, as mode 13h has them", "[vga][screen]") {
    VgaGuest guest;
    guest.out(0x3c2, 0x63);
    guest.load_crtc({0x5f, 0x4f, 0, 0, 0, 0,    0xbf, 0x1f, 0, 0x41, 0,    0,   0,
                     0,    0,    0, 0, 0, 0x8f, 0x28, 0x40, 0, 0,    0xa3, 0xff});
    guest.set_sequencer(2, 0x0f);
    guest.set_sequencer(4, 0x0e);
    guest.set_graphics(5, 0x40);
    guest.set_graphics(6, 0x05);
    guest.set_graphics(8, 0xff);
    guest.set_colour(200, 63, 32, 0);
    guest.screen_on();
    guest.poke(0xa0000 + 320 * 199 + 319, 200);
    const Image image = guest.function.screen().image();
    REQUIRE(image.width == 320);
    REQUIRE(image.height == 200);
    CHECK(image.at(319, 199) == Rgb{255, 130, 0});
    CHECK(image.at(318, 199) == Rgb{});
    guest.out(0x3c6, 0x37); // the mask turns 200 into 0
    CHECK(guest.function.screen().image().at(319, 199) == Rgb{});
}

TEST_CASE("four colours with interleaved lines, as mode 4 has them", "[vga][screen]") {
    VgaGuest guest;
    guest.text_mode(80, 25, 16, true);
    guest.load_crtc({0x2d, 0x27, 0, 0, 0, 0,    0xbf, 0x1f, 0, 0xc1, 0,    0,   0,
                     0,    0,    0, 0, 0, 0x8f, 0x14, 0,    0, 0,    0xa2, 0xff});
    guest.set_sequencer(2, 3);
    guest.set_sequencer(4, 2);
    guest.set_graphics(5, 0x30);
    guest.set_graphics(6, 0x0f);
    guest.poke(0xb8000 + 80 + 1, 0x1b); // line 2, dots 4..7: colours 0 1 2 3
    guest.poke(0xba000 + 80, 0xe4);     // line 3, dots 0..3: colours 3 2 1 0
    const Image image = guest.function.screen().image();
    REQUIRE(image.width == 320);
    REQUIRE(image.height == 200);
    for (unsigned i = 0; i < 4; ++i) {
        CHECK(image.at(4 + i, 2) == text_colour(i));
        CHECK(image.at(i, 3) == text_colour(3 - i));
    }
}

TEST_CASE("line compare starts again at the top of memory", "[vga][screen]") {
    VgaGuest guest;
    guest.text_mode(80, 25, 16, true);
    guest.planar_graphics();
    guest.load_crtc({0x5f, 0x4f, 0, 0, 0, 0,    0x0b, 0x2e, 0, 0x00, 0,    0, 0x40,
                     0,    0,    0, 0, 0, 0xdf, 0x28, 0,    0, 0,    0xe3, 99});
    guest.set_bytes(0, 0x80);      // of line 100, and below
    guest.set_bytes(0x4000, 0xff); // of line 0
    const Image image = guest.function.screen().image();
    CHECK(image.at(7, 0) == text_colour(1));
    CHECK(image.at(0, 99) == text_colour(0));
    CHECK(image.at(0, 100) == text_colour(1));
    CHECK(image.at(1, 100) == text_colour(0));
}

TEST_CASE("every depth of DISPI", "[vga][screen]") {
    VgaGuest guest;
    guest.screen_on();
    guest.set_colour(9, 1, 2, 3);
    const std::tuple<unsigned, unsigned, Rgb> depths[] = {{8, 9, Rgb{4, 8, 12}},
                                                          {15, 31u << 10 | 1u, Rgb{255, 0, 8}},
                                                          {16, 31u << 11 | 1u << 5, Rgb{255, 4, 0}},
                                                          {24, 0x123456, Rgb{0x12, 0x34, 0x56}},
                                                          {32, 0xff654321, Rgb{0x65, 0x43, 0x21}}};
    for (const auto& [bits, pixel, colour] : depths) {
        CAPTURE(bits);
        guest.set_mode(64, 48, bits);
        const unsigned bytes = (bits + 7) / 8;
        guest.draw((64 * 5 + 7) * bytes, bytes == 3 ? 2 : bytes, pixel);
        if (bytes == 3)
            guest.draw((64 * 5 + 7) * bytes + 2, 1, pixel >> 16);
        const Image image = guest.function.screen().image();
        REQUIRE(image.width == 64);
        REQUIRE(image.height == 48);
        CHECK(image.at(7, 5) == colour);
        CHECK(image.at(8, 5) == Rgb{});
        CHECK(guest.function.screen().status().draws_unseen);

        guest.set_dispi(6, 128); // the same bytes are now half way down
        guest.set_dispi(8, 64);
        guest.set_dispi(9, 1);
        CHECK(guest.function.screen().image().at(7, 1) == colour);
    }
    guest.mmio(0x604, 4, 0xbebebebe);
    guest.set_mode(64, 48, 32);
    guest.draw(0, 4, 0x21436500);
    CHECK(guest.function.screen().image().at(0, 0) == Rgb{0x65, 0x43, 0x21});
    guest.mmio(0x604, 4, 0x1e1e1e1e);
    guest.set_mode(64, 48, 8, 0x20); // a DAC of 8 bits
    guest.draw(0, 1, 9);
    CHECK(guest.function.screen().image().at(0, 0) == Rgb{1, 2, 3});
}

TEST_CASE("DISPI with 4 bits has planes", "[vga][screen]") {
    VgaGuest guest;
    guest.text_mode(80, 25, 16, true);
    guest.planar_graphics();
    guest.set_mode(800, 600, 4);
    guest.set_sequencer(2, 0x05);
    guest.poke(0xa0000 + 100 * 3 + 2, 0x80);
    const Image image = guest.function.screen().image();
    CHECK(image.width == 800);
    CHECK(image.at(16, 3) == text_colour(5));
    CHECK(image.at(17, 3) == text_colour(0));
}

TEST_CASE("the generation tells of changes", "[vga][screen]") {
    VgaGuest guest;
    guest.text_mode(80, 25, 16, false);
    const auto before = guest.function.screen().status().generation;
    guest.peek(0xb8000);
    CHECK(guest.function.screen().status().generation == before);
    guest.print(0, "x", 7);
    CHECK(guest.function.screen().status().generation != before);
}

TEST_CASE("whatever the registers hold, a picture is bounded", "[vga][screen]") {
    std::mt19937 random(7);
    const auto byte = [&] { return static_cast<unsigned>(random() & 0xff); };
    VgaGuest guest;
    for (unsigned round = 0; round < 60; ++round) {
        guest.out(0x3c2, byte() | 1);
        std::vector<unsigned> values(0x19);
        for (unsigned& value : values)
            value = byte();
        guest.load_crtc(values);
        for (unsigned index = 0; index < 9; ++index) {
            guest.set_graphics(index, byte());
            guest.set_sequencer(index & 7, byte() & 0xdf);
        }
        guest.screen_on();
        for (unsigned i = 0; i < 32; ++i)
            guest.poke32(0xa0000 + (random() & 0x1fffc), static_cast<unsigned>(random()));
        const Image image = guest.function.screen().image();
        CHECK(image.pixels.size() == std::size_t{image.width} * image.height);
        CHECK(image.width <= 256 * 9);
        CHECK(image.height <= 1024);
        const auto text = guest.function.screen().text();
        CHECK((!text || text->lines().size() == text->rows));
    }
}

TEST_CASE("the largest DISPI modes are drawn within the memory", "[vga][screen]") {
    VgaGuest guest;
    guest.screen_on();
    for (const unsigned bits : {4u, 8u, 32u}) {
        guest.set_mode(65535, 65535, bits);
        guest.set_dispi(8, 65535);
        guest.set_dispi(9, 65535);
        const Image image = guest.function.screen().image();
        CHECK(image.width == 16000);
        CHECK(image.pixels.size() * bits <= memory_bytes * 8);
    }
}
