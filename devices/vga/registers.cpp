#include "devices/vga/registers.h"

#include <algorithm>

namespace coldstart::vga {
namespace {

// Bits that exist, by index.
constexpr std::array<std::uint8_t, sr_count> sequencer_bits = {0x03, 0x3d, 0x0f, 0x3f, 0x0e};
constexpr std::array<std::uint8_t, gr_count> graphics_bits = {0x0f, 0x0f, 0x0f, 0x1f, 0x03,
                                                              0x7b, 0x0f, 0x0f, 0xff};
constexpr std::array<std::uint8_t, ar_count> attribute_bits = {
    0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
    0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0xef, 0xff, 0x3f, 0x0f, 0x0f};

template <std::size_t N>
std::uint8_t at(const std::array<std::uint8_t, N>& registers, std::size_t index) noexcept {
    return index < N ? registers[index] : std::uint8_t{0};
}

std::uint8_t low8(unsigned value) noexcept {
    return static_cast<std::uint8_t>(value);
}

/// `value` with the bits of `mask` taken from `bits`.
void replace(std::uint8_t& value, unsigned mask, unsigned bits) noexcept {
    value = low8((value & ~mask) | (bits & mask));
}

/// 0x3bx as 0x3dx for what the colour bit moves.
unsigned canonical(unsigned port) noexcept {
    return port < port_attribute ? port + 0x20 : port;
}

} // namespace

bool Registers::decodes(unsigned port) const noexcept {
    const bool colour = (state_.misc & misc_colour) != 0;
    if (port >= port_mono_base && port < port_attribute)
        return !colour;
    return port < port_attribute + 0x10 || colour;
}

std::uint8_t Registers::read(unsigned port) noexcept {
    if (!decodes(port))
        return 0xff;
    switch (canonical(port)) {
    case port_attribute:
        return state_.attribute_index;
    case port_attribute_data:
        return at(state_.attribute, state_.attribute_index & 0x1fu);
    case port_status0_misc:
        return 0;
    case port_sequencer_index:
        return state_.sequencer_index;
    case port_sequencer_data:
        return at(state_.sequencer, state_.sequencer_index);
    case port_pel_mask:
        return state_.pel_mask;
    case port_dac_read_index:
        return state_.dac_state;
    case port_dac_write_index:
        return state_.dac_write_index;
    case port_dac_data:
        return read_dac();
    case port_feature_read:
        return state_.feature;
    case port_misc_read:
        return state_.misc;
    case port_graphics_index:
        return state_.graphics_index;
    case port_graphics_data:
        return at(state_.graphics, state_.graphics_index);
    case port_crtc_index:
        return state_.crtc_index;
    case port_crtc_data:
        return at(state_.crtc, state_.crtc_index);
    case port_status1:
        return read_status1();
    default:
        return 0xff;
    }
}

void Registers::write(unsigned port, std::uint8_t value) noexcept {
    if (!decodes(port))
        return;
    RegisterState& s = state_;
    switch (canonical(port)) {
    case port_attribute:
        write_attribute(value);
        break;
    case port_status0_misc:
        s.misc = low8(value & 0xefu);
        break;
    case port_sequencer_index:
        s.sequencer_index = low8(value & 0x07u);
        break;
    case port_sequencer_data:
        s.sequencer[s.sequencer_index] = low8(value & sequencer_bits[s.sequencer_index]);
        break;
    case port_pel_mask:
        s.pel_mask = value;
        break;
    case port_dac_read_index:
        s.dac_read_index = value;
        s.dac_component = 0;
        s.dac_state = 3;
        break;
    case port_dac_write_index:
        s.dac_write_index = value;
        s.dac_component = 0;
        s.dac_state = 0;
        break;
    case port_dac_data:
        write_dac(value);
        break;
    case port_graphics_index:
        s.graphics_index = low8(value & 0x0fu);
        break;
    case port_graphics_data:
        if (s.graphics_index < gr_count)
            s.graphics[s.graphics_index] = low8(value & graphics_bits[s.graphics_index]);
        break;
    case port_crtc_index:
        s.crtc_index = value;
        break;
    case port_crtc_data:
        write_crtc(value);
        break;
    case port_status1:
        s.feature = low8(value & 0x0bu);
        break;
    default:
        break;
    }
}

void Registers::write_attribute(std::uint8_t value) noexcept {
    if (!state_.attribute_data_next) {
        state_.attribute_index = low8(value & 0x3fu);
    } else {
        const std::size_t index = state_.attribute_index & 0x1fu;
        if (index < ar_count)
            state_.attribute[index] = low8(value & attribute_bits[index]);
    }
    state_.attribute_data_next = !state_.attribute_data_next;
}

void Registers::write_crtc(std::uint8_t value) noexcept {
    const std::size_t index = state_.crtc_index;
    if (index >= cr_count)
        return;
    if (index <= cr_overflow && (state_.crtc[cr_vertical_sync_end] & cr_protect) != 0) {
        if (index == cr_overflow)
            replace(state_.crtc[index], cr_overflow_line_compare, value);
        return;
    }
    state_.crtc[index] = value;
}

std::uint8_t Registers::read_dac() noexcept {
    const std::uint8_t value =
        state_.dac[std::size_t{state_.dac_read_index} * 3 + state_.dac_component];
    if (++state_.dac_component == 3) {
        state_.dac_component = 0;
        ++state_.dac_read_index;
    }
    return value;
}

void Registers::write_dac(std::uint8_t value) noexcept {
    if (state_.dac_component < 2) {
        state_.dac_pending[state_.dac_component++] = value;
        return;
    }
    const std::size_t first = std::size_t{state_.dac_write_index} * 3;
    state_.dac[first] = state_.dac_pending[0];
    state_.dac[first + 1] = state_.dac_pending[1];
    state_.dac[first + 2] = value;
    state_.dac_component = 0;
    ++state_.dac_write_index;
}

std::uint8_t Registers::read_status1() noexcept {
    state_.attribute_data_next = false;
    state_.status1 = low8(state_.status1 ^ (status1_display_disabled | status1_vertical_retrace));
    return state_.status1;
}

void Registers::enter_dispi_mode(unsigned width, unsigned height, unsigned line_bytes,
                                 bool planar) noexcept {
    const unsigned last_line = height - 1;
    auto& crtc = state_.crtc;
    crtc[cr_horizontal_end] = low8(width / 8 - 1);
    crtc[cr_offset] = low8(line_bytes / 8);
    crtc[cr_vertical_end] = low8(last_line);
    replace(crtc[cr_overflow], 0x52, (last_line >> 7 & 0x02) | (last_line >> 3 & 0x40) | 0x10);
    crtc[cr_line_compare] = 0xff;
    replace(crtc[cr_max_scan], 0xdf, 0x40);
    replace(crtc[cr_mode], 0x03, 0x03);
    replace(state_.graphics[gr_misc], 0x0d, 0x05);
    replace(state_.graphics[gr_mode], 0x60, planar ? 0x00 : 0x40);
    if (!planar) {
        replace(state_.sequencer[sr_memory_mode], sr_memory_chain4, sr_memory_chain4);
        state_.sequencer[sr_map_mask] = 0x0f;
    }
}

void make_sane(RegisterState& state) noexcept {
    state.attribute_index &= 0x3f;
    state.sequencer_index &= 0x07;
    state.graphics_index &= 0x0f;
    state.dac_component = std::min<std::uint8_t>(state.dac_component, 2);
}

} // namespace coldstart::vga
