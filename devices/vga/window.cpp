#include "devices/vga/window.h"

#include "vmm/base/bytes.h"

#include <bit>

namespace coldstart::vga {
namespace {

/// Each of four bits as a byte of ones or zeroes.
constexpr std::uint32_t spread(unsigned planes) noexcept {
    std::uint32_t mask = 0;
    for (unsigned plane = 0; plane < 4; ++plane)
        mask |= (planes >> plane & 1) != 0 ? 0xffu << 8 * plane : 0;
    return mask;
}

constexpr std::uint32_t in_all_planes(unsigned value) noexcept {
    return (value & 0xff) * 0x01010101u;
}

} // namespace

std::size_t Window::mapped(std::size_t offset) const noexcept {
    switch (registers_.graphics[gr_misc] >> 2 & 3) {
    case 0: // 0xa0000, 128 KiB
        return bank_start_ + offset;
    case 1: // 0xa0000, 64 KiB
        return offset < 0x10000 ? bank_start_ + offset : unmapped;
    case 2: // 0xb0000, 32 KiB
        return offset >= 0x10000 && offset < 0x18000 ? offset - 0x10000 : unmapped;
    default: // 0xb8000, 32 KiB
        return offset >= 0x18000 ? offset - 0x18000 : unmapped;
    }
}

bool Window::load_cell(std::size_t cell, std::uint32_t& planes) const noexcept {
    planes = 0;
    if (!range_inside(cell * 4, 4, memory_.size()))
        return false;
    planes = load_le<std::uint32_t>(memory_, cell * 4);
    return true;
}

std::uint8_t Window::compare(std::uint32_t planes) const noexcept {
    const std::uint32_t differs = (planes ^ spread(registers_.graphics[gr_colour_compare])) &
                                  spread(registers_.graphics[gr_colour_dont_care]);
    const std::uint32_t any = differs | differs >> 16;
    return static_cast<std::uint8_t>(~(any | any >> 8));
}

std::uint8_t Window::read(std::size_t offset) noexcept {
    const std::size_t address = mapped(offset);
    if (address == unmapped)
        return 0xff;
    unsigned plane = registers_.graphics[gr_read_map] & 3; // a restored state may say anything
    std::size_t cell = address;
    if (chained()) {
        plane = address & 3;
        cell = address >> 2;
    } else if ((registers_.graphics[gr_mode] & gr_mode_odd_even) != 0) {
        plane = (plane & 2) | (address & 1);
        cell = address >> 1;
    }
    std::uint32_t planes = 0;
    if (!load_cell(cell, planes))
        return 0xff;
    registers_.latches = planes;
    if (!packed_ && (registers_.graphics[gr_mode] & gr_mode_compare) != 0)
        return compare(planes);
    return static_cast<std::uint8_t>(planes >> 8 * plane);
}

void Window::write(std::size_t offset, std::uint8_t value) noexcept {
    const std::size_t address = mapped(offset);
    if (address == unmapped)
        return;
    const unsigned map_mask = registers_.sequencer[sr_map_mask];
    if (chained()) {
        if (!packed_)
            write_planes(address >> 2, map_mask & 1u << (address & 3), value);
        else if (address < memory_.size())
            memory_[address] = std::byte{value};
    } else if ((registers_.sequencer[sr_memory_mode] & sr_memory_sequential) == 0) {
        write_planes(address >> 1, map_mask & ((address & 1) != 0 ? 0xau : 0x5u), value);
    } else {
        write_planes(address, map_mask, value);
    }
}

std::uint32_t Window::combine(std::uint8_t value) const noexcept {
    const auto& graphics = registers_.graphics;
    const std::uint32_t latches = registers_.latches;
    const std::uint32_t set_reset = spread(graphics[gr_set_reset]);
    const std::uint8_t rotated = std::rotr(value, graphics[gr_rotate] & 7);
    std::uint32_t bit_mask = in_all_planes(graphics[gr_bit_mask]);
    std::uint32_t data = 0;
    switch (graphics[gr_mode] & gr_mode_write) {
    case 0: {
        const std::uint32_t enabled = spread(graphics[gr_enable_set_reset]);
        data = (in_all_planes(rotated) & ~enabled) | (set_reset & enabled);
        break;
    }
    case 1:
        return latches;
    case 2:
        data = spread(value);
        break;
    default:
        bit_mask &= in_all_planes(rotated);
        data = set_reset;
        break;
    }
    switch (graphics[gr_rotate] >> 3 & 3) {
    case 1:
        data &= latches;
        break;
    case 2:
        data |= latches;
        break;
    case 3:
        data ^= latches;
        break;
    default:
        break;
    }
    return (data & bit_mask) | (latches & ~bit_mask);
}

void Window::write_planes(std::size_t cell, unsigned plane_mask, std::uint8_t value) noexcept {
    std::uint32_t planes = 0;
    if (plane_mask == 0 || !load_cell(cell, planes))
        return;
    const std::uint32_t mask = spread(plane_mask);
    store_le<std::uint32_t>(memory_, cell * 4, (planes & ~mask) | (combine(value) & mask));
}

} // namespace coldstart::vga
