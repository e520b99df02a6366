// What the CRT controller's registers mean for the picture below DISPI, and its colours.
// Internal to the scan-out.
#pragma once

#include "devices/vga/registers.h"
#include "devices/vga/scanout.h"

#include <array>
#include <cstdint>

namespace coldstart::vga {

struct LegacyGeometry {
    bool is_text = false;
    unsigned chars = 0;      ///< character clocks a line, 1..256
    unsigned scan_lines = 0; ///< on the monitor, 1..1024
    unsigned scans = 0;      ///< scan lines of a character row, 1..32, before doubling
    unsigned doubling = 0;   ///< 1: every line is shown twice
    unsigned start = 0;      ///< first cell; cells are groups of one byte of each plane
    unsigned stride = 0;     ///< cells from one row to the next
    unsigned line_compare = 0;

    unsigned text_rows() const noexcept;
};

LegacyGeometry legacy_geometry(const RegisterState& registers) noexcept;

/// The planes wrap at this many cells.
inline constexpr unsigned cell_mask = 0xffff;

bool is_blank(const Capture& capture) noexcept;

/// A colour of the DAC, with the pel mask.
Rgb dac_colour(const Capture& capture, unsigned index) noexcept;
/// The sixteen colours that attributes and planes select, through the attribute controller.
std::array<Rgb, 16> attribute_colours(const Capture& capture) noexcept;

struct PixelSize {
    unsigned width = 0, height = 0;
};
PixelSize text_size(const RegisterState& registers) noexcept;
PixelSize graphics_size(const RegisterState& registers) noexcept;

// Into an image of that size, which is black.
void draw_text(const Capture& capture, Image& image);
void draw_legacy_graphics(const Capture& capture, Image& image);
void draw_linear(const Capture& capture, const LinearMode& mode, Image& image);

} // namespace coldstart::vga
