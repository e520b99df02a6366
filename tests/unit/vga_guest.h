// A guest's hands on a VGA: ports, the window, the frame buffer, and the modes tests need.
#pragma once

#include "devices/vga/std_vga.h"
#include "devices/vga/vga_legacy.h"
#include "tests/fakes/fake_pci.h"

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace coldstart::fakes {

struct VgaGuest {
    FakePlacer placer;
    StdVga function{placer, {}};
    VgaLegacy legacy{&function};

    std::uint64_t access(bool write, std::uint64_t address, unsigned width, std::uint64_t value) {
        for (unsigned region = 0; region < VgaLegacy::bases.size(); ++region) {
            const std::uint64_t base = VgaLegacy::bases[region];
            if (address < base || address + width > base + legacy.regions()[region].size_bytes)
                continue;
            if (!write)
                return legacy.read(region, address - base, width);
            legacy.write(region, address - base, width, value);
            return 0;
        }
        return all_ones(width);
    }

    unsigned in(unsigned port) { return static_cast<unsigned>(access(false, port, 1, 0)); }
    unsigned in16(unsigned port) { return static_cast<unsigned>(access(false, port, 2, 0)); }
    void out(unsigned port, unsigned value) { access(true, port, 1, value); }
    void out16(unsigned port, unsigned value) { access(true, port, 2, value); }
    unsigned peek(std::uint64_t gpa) { return static_cast<unsigned>(access(false, gpa, 1, 0)); }
    void poke(std::uint64_t gpa, unsigned value) { access(true, gpa, 1, value); }
    void poke16(std::uint64_t gpa, unsigned value) { access(true, gpa, 2, value); }
    void poke32(std::uint64_t gpa, unsigned value) { access(true, gpa, 4, value); }

    void set_indexed(unsigned port, unsigned index, unsigned value) {
        out(port, index);
        out(port + 1, value);
    }
    void set_sequencer(unsigned index, unsigned value) { set_indexed(0x3c4, index, value); }
    void set_graphics(unsigned index, unsigned value) { set_indexed(0x3ce, index, value); }
    void set_crtc(unsigned index, unsigned value) { set_indexed(0x3d4, index, value); }
    unsigned crtc(unsigned index) {
        out(0x3d4, index);
        return in(0x3d5);
    }
    void set_attribute(unsigned index, unsigned value) {
        in(0x3da);
        out(0x3c0, index);
        out(0x3c0, value);
    }
    void screen_on() {
        in(0x3da);
        out(0x3c0, 0x20);
    }
    void set_colour(unsigned index, unsigned red, unsigned green, unsigned blue) {
        out(0x3c8, index);
        for (unsigned value : {red, green, blue})
            out(0x3c9, value);
    }

    std::uint64_t frame_buffer(std::uint64_t offset, unsigned width) {
        return function.read(0, offset, width);
    }
    void draw(std::uint64_t offset, unsigned width, std::uint64_t value) {
        function.write(0, offset, width, value);
    }
    std::uint32_t planes(unsigned cell) {
        return static_cast<std::uint32_t>(frame_buffer(cell * 4, 4));
    }
    void set_bytes(unsigned cell, std::uint32_t value) { draw(cell * 4, 4, value); }

    std::uint64_t mmio(unsigned offset, unsigned width) { return function.read(1, offset, width); }
    void mmio(unsigned offset, unsigned width, std::uint64_t value) {
        function.write(1, offset, width, value);
    }

    unsigned dispi(unsigned index) {
        out16(0x1ce, index);
        return in16(0x1cf);
    }
    void set_dispi(unsigned index, unsigned value) {
        out16(0x1ce, index);
        out16(0x1d0, value);
    }
    void set_mode(unsigned width, unsigned height, unsigned bits, unsigned flags = 0) {
        set_dispi(4, 0);
        set_dispi(1, width);
        set_dispi(2, height);
        set_dispi(3, bits);
        set_dispi(4, 0x41 | flags);
    }
    bool window_is_linear() {
        out(0x3c4, 4);
        return (in(0x3c5) & 8) != 0;
    }

    /// Unchained planes at 0xa0000, nothing masked.
    void planar_graphics() {
        set_sequencer(2, 0x0f);
        set_sequencer(4, 0x06);
        set_graphics(5, 0x00);
        set_graphics(6, 0x05);
        set_graphics(8, 0xff);
    }

    /// Registers 0.. of the CRT controller, past its protection.
    void load_crtc(const std::vector<unsigned>& values) {
        set_crtc(0x11, 0);
        for (unsigned index = 0; index < values.size(); ++index)
            set_crtc(index, values[index]);
    }

    /// Text of `columns` by `rows` in cells of 9 (or 8) by `height` dots, as a VGA BIOS leaves it:
    /// colours 0 to 15 are DAC entries 0 to 15.
    void text_mode(unsigned columns, unsigned rows, unsigned height, bool eight_dots) {
        out(0x3c2, 0x67);
        const unsigned last = rows * height - 1;
        std::vector<unsigned> values(0x19);
        values[1] = columns - 1;
        values[7] = (last >> 7 & 2) | (last >> 3 & 0x40) | 0x10;
        values[9] = 0x40 | (height - 1);
        values[0x0a] = height - 2;
        values[0x0b] = height - 1;
        values[0x12] = last & 0xff;
        values[0x13] = columns / 2;
        values[0x17] = 0xa3;
        values[0x18] = 0xff;
        load_crtc(values);
        set_sequencer(1, eight_dots ? 1 : 0);
        set_sequencer(2, 3);
        set_sequencer(3, 0);
        set_sequencer(4, 2);
        set_graphics(5, 0x10);
        set_graphics(6, 0x0e);
        set_graphics(8, 0xff);
        for (unsigned i = 0; i < 16; ++i) {
            set_attribute(i, i);
            set_colour(i, i * 4, 63 - i, i % 4 * 16);
        }
        set_attribute(0x10, 0x0c);
        set_attribute(0x12, 0x0f);
        screen_on();
    }

    void print(unsigned cell, std::string_view text, unsigned attribute) {
        for (const char c : text)
            poke16(0xb8000 + 2 * cell++, static_cast<unsigned char>(c) | attribute << 8);
    }

    /// As a VGA BIOS does: plane 2, planar, then back to text.
    void load_glyph(unsigned character, const std::vector<unsigned>& lines, unsigned base = 0) {
        set_sequencer(2, 4);
        set_sequencer(4, 7);
        set_graphics(5, 0);
        set_graphics(6, 4);
        for (unsigned line = 0; line < lines.size(); ++line)
            poke(0xa0000 + base + character * 32 + line, lines[line]);
        set_sequencer(2, 3);
        set_sequencer(4, 2);
        set_graphics(5, 0x10);
        set_graphics(6, 0x0e);
    }
};

} // namespace coldstart::fakes
