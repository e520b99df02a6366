#include "devices/vga/geometry.h"
#include "vmm/base/bytes.h"

#include <algorithm>

namespace coldstart::vga {
namespace {

enum class PixelKind : std::uint8_t { planar, cga, bytes };

PixelKind pixel_kind(const RegisterState& registers) noexcept {
    const unsigned shift = registers.graphics[gr_mode] >> 5 & 3;
    return shift == 0 ? PixelKind::planar : shift == 1 ? PixelKind::cga : PixelKind::bytes;
}

std::uint32_t load_cell(const Capture& capture, std::size_t cell) noexcept {
    return range_inside(cell * 4, 4, capture.memory.size())
               ? load_le<std::uint32_t>(capture.memory, cell * 4)
               : 0;
}

/// The colour of dot 0..7, from the left, of four planes' bytes.
unsigned planar_dot(std::uint32_t planes, unsigned dot) noexcept {
    unsigned colour = 0;
    for (unsigned plane = 0; plane < 4; ++plane)
        colour |= (planes >> (8 * plane + 7 - dot) & 1) << plane;
    return colour;
}

/// The same where bytes hold four dots of two bits: planes 0 and 1 in turn give the low bits,
/// planes 2 and 3 the high ones.
unsigned cga_dot(std::uint32_t planes, unsigned dot) noexcept {
    const unsigned shift = 8 * (dot / 4) + 6 - dot % 4 * 2;
    return (planes >> shift & 3) | (planes >> (shift + 16) & 3) << 2;
}

/// In the modes of the CGA, and of Hercules, bits of the scan line in a row choose the part of
/// memory that the address counter's bits 13 and 14 would.
class LineAddresses {
  public:
    explicit LineAddresses(const RegisterState& registers) noexcept
        : geometry_(legacy_geometry(registers)), mode_(registers.crtc[cr_mode]) {}

    bool lines_of_a_row_differ() const noexcept { return (mode_ & 3) != 3; }
    unsigned lines() const noexcept { return std::max(geometry_.scan_lines / repeats(), 1u); }

    unsigned first_cell(unsigned line) const noexcept {
        unsigned scan_line = line * repeats();
        unsigned cell = geometry_.start;
        if (scan_line > geometry_.line_compare) {
            scan_line -= geometry_.line_compare + 1;
            cell = 0;
        }
        const unsigned row_line = (scan_line >> geometry_.doubling) % geometry_.scans;
        cell += (scan_line >> geometry_.doubling) / geometry_.scans * geometry_.stride;
        const unsigned low_bit = (mode_ & cr_mode_byte) != 0 ? 13 : 12;
        if ((mode_ & 1) == 0)
            cell = (cell & ~(1u << low_bit)) | (row_line & 1) << low_bit;
        if ((mode_ & 2) == 0)
            cell = (cell & ~(2u << low_bit)) | (row_line >> 1 & 1) << (low_bit + 1);
        return cell;
    }

  private:
    /// Scan lines on the monitor that show the same.
    unsigned repeats() const noexcept {
        return (lines_of_a_row_differ() ? 1 : geometry_.scans) << geometry_.doubling;
    }

    LegacyGeometry geometry_;
    unsigned mode_;
};

Rgb direct_colour(std::uint32_t pixel, unsigned bits) noexcept {
    const auto wide = [](unsigned value, unsigned width) {
        value &= (1u << width) - 1;
        return static_cast<std::uint8_t>(value << (8 - width) | value >> (2 * width - 8));
    };
    if (bits == 15)
        return {wide(pixel >> 10, 5), wide(pixel >> 5, 5), wide(pixel, 5)};
    if (bits == 16)
        return {wide(pixel >> 11, 5), wide(pixel >> 5, 6), wide(pixel, 5)};
    return {static_cast<std::uint8_t>(pixel >> 16), static_cast<std::uint8_t>(pixel >> 8),
            static_cast<std::uint8_t>(pixel)};
}

std::uint32_t load_pixel(const std::byte* bytes, unsigned count, bool big_endian) noexcept {
    std::uint32_t pixel = 0;
    for (unsigned i = 0; i < count; ++i)
        pixel |= std::to_integer<std::uint32_t>(bytes[big_endian ? count - 1 - i : i]) << 8 * i;
    return pixel;
}

void draw_direct(const Capture& capture, const LinearMode& mode, Image& image) {
    const unsigned pixel_bytes = (mode.bits + 7) / 8;
    for (unsigned y = 0; y < mode.height; ++y) {
        const std::size_t line = std::size_t{y} * mode.line_bytes;
        if (!range_inside(line, mode.visible_bytes(), capture.memory.size()))
            return;
        const std::byte* in = &capture.memory[line];
        Rgb* out = &image.pixels[std::size_t{y} * mode.width];
        for (unsigned x = 0; x < mode.width; ++x, in += pixel_bytes)
            out[x] = direct_colour(load_pixel(in, pixel_bytes, capture.big_endian), mode.bits);
    }
}

void draw_palette(const Capture& capture, const LinearMode& mode, Image& image) {
    std::array<Rgb, 256> palette;
    for (unsigned i = 0; i < palette.size(); ++i)
        palette[i] = dac_colour(capture, i);
    for (unsigned y = 0; y < mode.height; ++y) {
        const std::size_t line = std::size_t{y} * mode.line_bytes;
        if (!range_inside(line, mode.visible_bytes(), capture.memory.size()))
            return;
        for (unsigned x = 0; x < mode.width; ++x)
            image.pixels[std::size_t{y} * mode.width + x] =
                palette[std::to_integer<std::size_t>(capture.memory[line + x])];
    }
}

void draw_planar(const Capture& capture, const LinearMode& mode, Image& image) {
    const std::array<Rgb, 16> colours = attribute_colours(capture);
    const unsigned enabled = capture.registers.attribute[ar_plane_enable];
    for (unsigned y = 0; y < mode.height; ++y) {
        const std::size_t line = std::size_t{y} * mode.line_bytes / 4;
        for (unsigned x = 0; x < mode.width; ++x)
            image.pixels[std::size_t{y} * mode.width + x] =
                colours[planar_dot(load_cell(capture, line + x / 8), x % 8) & enabled & 0xf];
    }
}

} // namespace

PixelSize graphics_size(const RegisterState& registers) noexcept {
    const unsigned dots = pixel_kind(registers) == PixelKind::bytes ? 4 : 8;
    return {legacy_geometry(registers).chars * dots, LineAddresses(registers).lines()};
}

void draw_legacy_graphics(const Capture& capture, Image& image) {
    const LineAddresses addresses(capture.registers);
    const PixelKind kind = pixel_kind(capture.registers);
    const unsigned dots = kind == PixelKind::bytes ? 4 : 8;
    const unsigned enabled = capture.registers.attribute[ar_plane_enable] & 0xfu;
    const std::array<Rgb, 16> colours = attribute_colours(capture);
    for (unsigned y = 0; y < image.height; ++y) {
        const unsigned first = addresses.first_cell(y);
        Rgb* const line = &image.pixels[std::size_t{y} * image.width];
        for (unsigned x = 0; x < image.width; ++x) {
            const std::uint32_t planes = load_cell(capture, (first + x / dots) & cell_mask);
            const unsigned dot = x % dots;
            if (kind == PixelKind::planar)
                line[x] = colours[planar_dot(planes, dot) & enabled];
            else if (kind == PixelKind::cga)
                line[x] = colours[cga_dot(planes, dot) & enabled];
            else
                line[x] = dac_colour(capture, planes >> 8 * dot & 0xff);
        }
    }
}

void draw_linear(const Capture& capture, const LinearMode& mode, Image& image) {
    if (mode.bits == 4)
        draw_planar(capture, mode, image);
    else if (mode.bits == 8)
        draw_palette(capture, mode, image);
    else
        draw_direct(capture, mode, image);
}

} // namespace coldstart::vga
