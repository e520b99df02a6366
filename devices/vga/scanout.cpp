#include "devices/vga/scanout.h"

#include "devices/vga/geometry.h"

#include <algorithm>

namespace coldstart::vga {
namespace {

std::uint8_t component(std::uint8_t stored, bool is_8_bit) noexcept {
    const unsigned six = stored & 0x3fu;
    return is_8_bit ? stored : static_cast<std::uint8_t>(six << 2 | six >> 4);
}

} // namespace

LegacyGeometry legacy_geometry(const RegisterState& registers) noexcept {
    const auto& crtc = registers.crtc;
    const unsigned overflow = crtc[cr_overflow];
    const unsigned max_scan = crtc[cr_max_scan];
    LegacyGeometry geometry;
    geometry.is_text = (registers.graphics[gr_misc] & gr_misc_graphics) == 0;
    geometry.chars = crtc[cr_horizontal_end] + 1u;
    geometry.scan_lines =
        (crtc[cr_vertical_end] | (overflow & 0x02) << 7 | (overflow & 0x40) << 3) + 1u;
    geometry.scans = (max_scan & 0x1f) + 1;
    geometry.doubling = (max_scan & cr_max_scan_double) != 0 ? 1 : 0;
    geometry.start = crtc[cr_start_high] * 256u + crtc[cr_start_low];
    geometry.stride = crtc[cr_offset] * 2u;
    geometry.line_compare = crtc[cr_line_compare] | (overflow & 0x10) << 4 | (max_scan & 0x40) << 3;
    return geometry;
}

unsigned LegacyGeometry::text_rows() const noexcept {
    return std::max((scan_lines >> doubling) / scans, 1u);
}

bool is_blank(const Capture& capture) noexcept {
    if ((capture.registers.attribute_index & attribute_screen_on) == 0)
        return true;
    return !capture.linear &&
           (capture.registers.sequencer[sr_clocking] & sr_clocking_screen_off) != 0;
}

Rgb dac_colour(const Capture& capture, unsigned index) noexcept {
    const std::size_t first = std::size_t{index & capture.registers.pel_mask & 0xffu} * 3;
    const auto& dac = capture.registers.dac;
    return {component(dac[first], capture.dac_8_bit), component(dac[first + 1], capture.dac_8_bit),
            component(dac[first + 2], capture.dac_8_bit)};
}

std::array<Rgb, 16> attribute_colours(const Capture& capture) noexcept {
    const auto& attribute = capture.registers.attribute;
    const unsigned select = attribute[ar_colour_select];
    const bool takes_p54 = (attribute[ar_mode] & ar_mode_select_p54) != 0;
    std::array<Rgb, 16> colours;
    for (std::size_t i = 0; i < colours.size(); ++i) {
        const unsigned index = takes_p54 ? (select & 0xf) << 4 | (attribute[i] & 0xfu)
                                         : (select & 0xc) << 4 | (attribute[i] & 0x3fu);
        colours[i] = dac_colour(capture, index);
    }
    return colours;
}

ScreenStatus describe(const Capture& capture) noexcept {
    ScreenStatus status;
    const LegacyGeometry geometry = legacy_geometry(capture.registers);
    if (capture.linear) {
        status.kind = ScreenStatus::Kind::graphics;
        status.width = capture.linear->width;
        status.height = capture.linear->height;
    } else {
        const PixelSize size =
            geometry.is_text ? text_size(capture.registers) : graphics_size(capture.registers);
        status.kind = geometry.is_text ? ScreenStatus::Kind::text : ScreenStatus::Kind::graphics;
        status.width = size.width;
        status.height = size.height;
        status.columns = geometry.is_text ? geometry.chars : 0;
        status.rows = geometry.is_text ? geometry.text_rows() : 0;
    }
    if (is_blank(capture))
        status.kind = ScreenStatus::Kind::blank;
    return status;
}

Image render(const Capture& capture) {
    const ScreenStatus status = describe(capture);
    Image image{status.width, status.height, {}};
    image.pixels.resize(std::size_t{image.width} * image.height);
    if (status.kind == ScreenStatus::Kind::blank)
        return image;
    if (capture.linear)
        draw_linear(capture, *capture.linear, image);
    else if (status.kind == ScreenStatus::Kind::text)
        draw_text(capture, image);
    else
        draw_legacy_graphics(capture, image);
    return image;
}

} // namespace coldstart::vga
