// The registers of a VGA behind ports 0x3b0..0x3df: attribute, sequencer, graphics and CRT
// controller, the DAC, status.
// Source: IBM VGA technical reference; spec.h.
//
// Retrace bits alternate with every read of input status 1, so that nobody waits for a screen that
// is not there. Ignored bits: RAM enable, clock select and sync polarities of misc output; feature
// control; the sequencer's reset. Missing: the vertical interrupt, DAC sense (status 0 reads 0).
// Threads: none of its own; the owner holds a lock.
#pragma once

#include "devices/vga/spec.h"

#include <array>
#include <cstdint>

namespace coldstart::vga {

struct RegisterState {
    std::uint8_t misc = misc_colour; ///< at power-on too: the 0x3dx addresses answer
    std::uint8_t feature = 0;
    std::uint8_t attribute_index = 0; ///< with attribute_screen_on
    bool attribute_data_next = false; ///< the flip-flop
    std::array<std::uint8_t, ar_count> attribute{};
    std::uint8_t sequencer_index = 0;
    std::array<std::uint8_t, sr_count> sequencer{};
    std::uint8_t graphics_index = 0;
    std::array<std::uint8_t, gr_count> graphics{};
    std::uint8_t crtc_index = 0;
    std::array<std::uint8_t, cr_count> crtc{};
    std::uint8_t pel_mask = 0xff;
    std::uint8_t dac_state = 0; ///< 3 after an index was written for reading, 0 for writing
    std::uint8_t dac_read_index = 0;
    std::uint8_t dac_write_index = 0;
    std::uint8_t dac_component = 0;            ///< 0..2: red, green, blue
    std::array<std::uint8_t, 2> dac_pending{}; ///< a colour counts when its blue arrives
    std::array<std::uint8_t, 768> dac{};       ///< as written, 6 or 8 bits wide
    std::uint8_t status1 = 0;
    std::uint32_t latches = 0; ///< plane 0 in the low byte
};

class Registers {
  public:
    /// `port` as the guest names it; one that is not decoded reads 0xff and writes nothing.
    std::uint8_t read(unsigned port) noexcept;
    void write(unsigned port, std::uint8_t value) noexcept;

    /// What enabling a DISPI mode does to the VGA below it: graphics in the window at 0xa0000, all
    /// planes, no doubled lines; packed pixels (chain 4) unless `planar`.
    void enter_dispi_mode(unsigned width, unsigned height, unsigned line_bytes,
                          bool planar) noexcept;

    RegisterState& state() noexcept { return state_; }
    const RegisterState& state() const noexcept { return state_; }

  private:
    bool decodes(unsigned port) const noexcept;
    void write_attribute(std::uint8_t value) noexcept;
    void write_crtc(std::uint8_t value) noexcept;
    std::uint8_t read_dac() noexcept;
    void write_dac(std::uint8_t value) noexcept;
    std::uint8_t read_status1() noexcept;

    RegisterState state_;
};

/// Puts restored indices back into their range.
void make_sane(RegisterState& state) noexcept;

} // namespace coldstart::vga
