#include "devices/vga/geometry.h"
#include "vmm/base/bytes.h"

#include <algorithm>

namespace coldstart::vga {
namespace {

constexpr unsigned font_plane = 2;
constexpr std::size_t glyph_bytes = 32;

struct Cursor {
    bool shown = false;
    unsigned column = 0, row = 0;
    unsigned first_line = 0, last_line = 0;
};

unsigned char_width(const RegisterState& registers) noexcept {
    return (registers.sequencer[sr_clocking] & sr_clocking_8_dots) != 0 ? 8 : 9;
}

/// Where in plane 2 the font of a character is: two choices, by attribute bit 3.
unsigned font_base(const RegisterState& registers, bool attribute_bit3) noexcept {
    const unsigned select = registers.sequencer[sr_font_select];
    const unsigned low = attribute_bit3 ? select >> 2 & 3 : select & 3;
    const unsigned high = attribute_bit3 ? select >> 5 & 1 : select >> 4 & 1;
    return low * 0x4000 + high * 0x2000;
}

unsigned plane_byte(const Capture& capture, unsigned cell, unsigned plane) noexcept {
    const std::size_t offset = std::size_t{cell & cell_mask} * 4 + plane;
    return offset < capture.memory.size() ? std::to_integer<unsigned>(capture.memory[offset]) : 0;
}

unsigned cell_of(const LegacyGeometry& geometry, unsigned column, unsigned row) noexcept {
    return (geometry.start + row * geometry.stride + column) & cell_mask;
}

Cursor cursor_of(const RegisterState& registers, const LegacyGeometry& geometry) noexcept {
    const auto& crtc = registers.crtc;
    Cursor cursor;
    cursor.first_line = crtc[cr_cursor_start] & 0x1f;
    cursor.last_line = crtc[cr_cursor_end] & 0x1f;
    const unsigned cell = crtc[cr_cursor_high] * 256u + crtc[cr_cursor_low];
    const unsigned distance = (cell - geometry.start) & cell_mask;
    if ((crtc[cr_cursor_start] & cr_cursor_off) != 0 || geometry.stride == 0)
        return cursor;
    cursor.row = distance / geometry.stride;
    cursor.column = distance % geometry.stride;
    cursor.shown = cursor.row < geometry.text_rows() && cursor.column < geometry.chars &&
                   cursor.first_line <= cursor.last_line && cursor.first_line < geometry.scans;
    return cursor;
}

TextCell text_cell(const Capture& capture, unsigned cell) noexcept {
    const unsigned attribute = plane_byte(capture, cell, 1);
    const bool may_blink = (capture.registers.attribute[ar_mode] & ar_mode_blink) != 0;
    TextCell text;
    text.character = static_cast<std::uint8_t>(plane_byte(capture, cell, 0));
    text.foreground = attribute & 0xf;
    text.background = static_cast<std::uint8_t>(attribute >> 4 & (may_blink ? 7 : 15));
    text.blinks = may_blink && (attribute & 0x80) != 0;
    return text;
}

/// One scan line of a glyph, its leftmost dot in bit 8; the ninth dot of line-drawing characters
/// repeats the eighth.
unsigned glyph_dots(const Capture& capture, const TextCell& text, unsigned line) noexcept {
    const unsigned base = font_base(capture.registers, (text.foreground & 8) != 0);
    const auto glyph = static_cast<unsigned>(text.character * glyph_bytes);
    const unsigned dots = plane_byte(capture, base + glyph + line, font_plane) << 1;
    const bool joins = (capture.registers.attribute[ar_mode] & ar_mode_line_graphics) != 0 &&
                       text.character >= 0xc0 && text.character <= 0xdf;
    return joins ? dots | (dots >> 1 & 1) : dots;
}

} // namespace

PixelSize text_size(const RegisterState& registers) noexcept {
    const LegacyGeometry geometry = legacy_geometry(registers);
    return {geometry.chars * char_width(registers), geometry.text_rows() * geometry.scans};
}

void draw_text(const Capture& capture, Image& image) {
    const LegacyGeometry geometry = legacy_geometry(capture.registers);
    const Cursor cursor = cursor_of(capture.registers, geometry);
    const std::array<Rgb, 16> colours = attribute_colours(capture);
    const unsigned width = char_width(capture.registers);
    for (unsigned row = 0; row < geometry.text_rows(); ++row) {
        for (unsigned column = 0; column < geometry.chars; ++column) {
            const TextCell text = text_cell(capture, cell_of(geometry, column, row));
            const bool at_cursor = cursor.shown && cursor.row == row && cursor.column == column;
            for (unsigned line = 0; line < geometry.scans; ++line) {
                unsigned dots = glyph_dots(capture, text, line);
                if (at_cursor && line >= cursor.first_line && line <= cursor.last_line)
                    dots = 0x1ff;
                Rgb* const out =
                    &image.pixels[std::size_t{row * geometry.scans + line} * image.width +
                                  std::size_t{column} * width];
                for (unsigned dot = 0; dot < width; ++dot)
                    out[dot] =
                        colours[(dots >> (8 - dot) & 1) != 0 ? text.foreground : text.background];
            }
        }
    }
}

std::optional<TextScreen> read_text(const Capture& capture) {
    const LegacyGeometry geometry = legacy_geometry(capture.registers);
    if (capture.linear || !geometry.is_text)
        return std::nullopt;
    TextScreen screen;
    screen.columns = geometry.chars;
    screen.rows = geometry.text_rows();
    screen.cells.reserve(std::size_t{screen.columns} * screen.rows);
    for (unsigned row = 0; row < screen.rows; ++row) {
        for (unsigned column = 0; column < screen.columns; ++column)
            screen.cells.push_back(text_cell(capture, cell_of(geometry, column, row)));
    }
    if (const Cursor cursor = cursor_of(capture.registers, geometry); cursor.shown)
        screen.cursor = TextScreen::Cursor{cursor.column, cursor.row};
    return screen;
}

} // namespace coldstart::vga
