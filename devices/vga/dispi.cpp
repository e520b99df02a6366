#include "devices/vga/dispi.h"

#include <algorithm>

namespace coldstart::vga {
namespace {

constexpr std::uint16_t bank_mask = memory_bytes / 65536 - 1;

std::uint16_t bounded(unsigned value, unsigned low, unsigned high) noexcept {
    return static_cast<std::uint16_t>(std::clamp(value, low, high));
}

unsigned stored_bits(unsigned depth) noexcept {
    return depth == 15 ? 16 : depth;
}

bool is_depth(unsigned depth) noexcept {
    return depth == 4 || depth == 8 || depth == 15 || depth == 16 || depth == 24 || depth == 32;
}

} // namespace

std::uint16_t Dispi::read(unsigned index) const noexcept {
    const bool capabilities = (state_.values[dispi_enable] & enable_get_capabilities) != 0;
    if (capabilities && index == dispi_xres)
        return dispi_max_xres;
    if (capabilities && index == dispi_yres)
        return dispi_max_yres;
    if (capabilities && index == dispi_bpp)
        return dispi_max_bpp;
    if (index == dispi_memory_64k)
        return memory_bytes / 65536;
    return index < dispi_stored ? state_.values[index] : std::uint16_t{0};
}

Dispi::Effect Dispi::write(unsigned index, std::uint16_t value) noexcept {
    switch (index) {
    case dispi_id:
        if (value >= dispi_oldest_id && value <= dispi_newest_id)
            state_.values[dispi_id] = value;
        return {};
    case dispi_enable:
        return write_enable(value);
    case dispi_bank:
        state_.values[dispi_bank] = value & bank_mask;
        return {};
    case dispi_xres:
    case dispi_yres:
    case dispi_bpp:
    case dispi_virt_width:
    case dispi_x_offset:
    case dispi_y_offset:
        state_.values[index] = value;
        make_fit();
        return {.mode_changed = is_enabled()};
    default:
        return {};
    }
}

Dispi::Effect Dispi::write_enable(std::uint16_t value) noexcept {
    const bool was_enabled = is_enabled();
    state_.values[dispi_enable] = value;
    if (was_enabled || !is_enabled()) {
        state_.values[dispi_bank] = 0;
        return {};
    }
    state_.values[dispi_virt_width] = 0;
    state_.values[dispi_x_offset] = 0;
    state_.values[dispi_y_offset] = 0;
    make_fit();
    const LinearMode shown = mode();
    const bool clears = (value & enable_no_clear) == 0;
    return {.mode_changed = true,
            .clear_bytes = clears ? std::size_t{shown.line_bytes} * shown.height : 0};
}

void Dispi::make_fit() noexcept {
    if (!is_enabled())
        return;
    auto& values = state_.values;
    if (!is_depth(values[dispi_bpp]))
        values[dispi_bpp] = 8;
    const std::size_t bits = stored_bits(values[dispi_bpp]);
    std::uint16_t& width = values[dispi_xres];
    width = bounded(width & ~7u, 8, dispi_max_xres);
    std::uint16_t& virtual_width = values[dispi_virt_width];
    virtual_width = bounded(virtual_width & ~7u, width, dispi_max_xres);

    const std::size_t line_bytes = virtual_width * bits / 8;
    const auto lines_there = static_cast<unsigned>(memory_bytes / line_bytes);
    std::uint16_t& height = values[dispi_yres];
    height = bounded(height, 1, std::min(dispi_max_yres, lines_there));
    values[dispi_virt_height] = bounded(lines_there, 1, 0xffff);

    const std::size_t shown_bytes = line_bytes * height;
    const std::size_t x_bytes = values[dispi_x_offset] * bits / 8;
    if (x_bytes + values[dispi_y_offset] * line_bytes + shown_bytes > memory_bytes)
        values[dispi_y_offset] = 0;
    if (x_bytes + values[dispi_y_offset] * line_bytes + shown_bytes > memory_bytes)
        values[dispi_x_offset] = 0;
}

LinearMode Dispi::mode() const noexcept {
    const auto& values = state_.values;
    const std::size_t bits = stored_bits(values[dispi_bpp]);
    LinearMode mode;
    mode.width = values[dispi_xres];
    mode.height = values[dispi_yres];
    mode.bits = values[dispi_bpp];
    mode.line_bytes = static_cast<unsigned>(values[dispi_virt_width] * bits / 8);
    mode.start =
        values[dispi_y_offset] * std::size_t{mode.line_bytes} + values[dispi_x_offset] * bits / 8;
    return mode;
}

void Dispi::set_state(const State& state) noexcept {
    state_ = state;
    state_.values[dispi_bank] &= bank_mask;
    make_fit();
}

} // namespace coldstart::vga
