// What the processor sees at 0xa0000..0xbffff: video memory through the sequencer and the graphics
// controller, with latches, write modes and planes.
// Source: IBM VGA technical reference, "Graphics controller" and "Sequencer" registers.
//
// Planes are interleaved: byte n of plane p is byte 4n + p of video memory, which is also what
// chain 4 means. In odd/even addressing bytes 2n and 2n + 1 of the window are byte n of an even and
// an odd plane, so a text cell is two neighbouring planes' byte n; hardware skips every other byte
// of a plane instead, which shows only to those who look at the same cells in two ways.
// Threads: none of its own; the owner holds a lock.
#pragma once

#include "devices/vga/registers.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace coldstart::vga {

class Window {
  public:
    /// `bank_start`: where in `memory` the 64 KiB window begins. `packed`: a DISPI mode of 8 bits
    /// or more, in which writes bypass the graphics controller.
    Window(RegisterState& registers, std::span<std::byte> memory, std::size_t bank_start,
           bool packed) noexcept
        : registers_(registers), memory_(memory), bank_start_(bank_start), packed_(packed) {}

    /// `offset` from 0xa0000, below window_bytes. Where nothing is mapped reads give 0xff.
    std::uint8_t read(std::size_t offset) noexcept;
    void write(std::size_t offset, std::uint8_t value) noexcept;

  private:
    static constexpr std::size_t unmapped = ~std::size_t{0};

    /// The address behind `offset`, as the memory map select bits place the window.
    std::size_t mapped(std::size_t offset) const noexcept;
    bool chained() const noexcept {
        return (registers_.sequencer[sr_memory_mode] & sr_memory_chain4) != 0;
    }
    /// The four planes' bytes at `cell`; 0 and false beyond the memory.
    bool load_cell(std::size_t cell, std::uint32_t& planes) const noexcept;
    std::uint8_t compare(std::uint32_t planes) const noexcept;
    /// What goes to the planes in the current write mode.
    std::uint32_t combine(std::uint8_t value) const noexcept;
    void write_planes(std::size_t cell, unsigned plane_mask, std::uint8_t value) noexcept;

    RegisterState& registers_;
    std::span<std::byte> memory_;
    std::size_t bank_start_;
    bool packed_;
};

} // namespace coldstart::vga
