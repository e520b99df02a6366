// The Bochs display interface (DISPI): high resolutions by ten 16-bit registers.
// Source: QEMU, docs/specs/standard-vga.rst, and what drivers of it rely on; spec.h.
//
// A mode is made to fit when it is enabled and on every write after that: widths are multiples of
// 8, the virtual width at least the width, as many lines as memory holds. Offsets that would show
// what lies beyond the memory fall back to 0. Widths are in pixels at all depths.
// Missing: separate read and write banks.
// Threads: none of its own; the owner holds a lock.
#pragma once

#include "devices/vga/spec.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace coldstart::vga {

/// What an enabled DISPI shows.
struct LinearMode {
    unsigned width = 0;
    unsigned height = 0;
    unsigned bits = 0;       ///< 4 (planar), 8, 15, 16, 24, 32
    unsigned line_bytes = 0; ///< from one line to the next
    std::size_t start = 0;   ///< of the first pixel in video memory

    /// Of the pixels of one line.
    std::size_t visible_bytes() const noexcept {
        return bits == 4 ? width / 2 : std::size_t{width} * ((bits + 7) / 8);
    }
};

class Dispi {
  public:
    struct State {
        std::uint16_t index = 0;
        std::array<std::uint16_t, dispi_stored> values{dispi_newest_id};
    };

    /// What a write asks of the adapter around it.
    struct Effect {
        bool mode_changed = false;   ///< enabled, and its geometry is now another
        std::size_t clear_bytes = 0; ///< of video memory, from its start
    };

    std::uint16_t index() const noexcept { return state_.index; }
    void set_index(std::uint16_t index) noexcept { state_.index = index; }

    /// 0 for registers there are not.
    std::uint16_t read(unsigned index) const noexcept;
    Effect write(unsigned index, std::uint16_t value) noexcept;

    bool is_enabled() const noexcept { return (state_.values[dispi_enable] & enable_on) != 0; }
    bool has_8bit_dac() const noexcept {
        return (state_.values[dispi_enable] & enable_8bit_dac) != 0;
    }
    std::size_t bank_start() const noexcept { return std::size_t{state_.values[dispi_bank]} << 16; }
    LinearMode mode() const noexcept; ///< while enabled

    const State& state() const noexcept { return state_; }
    /// Takes any state, and makes it fit.
    void set_state(const State& state) noexcept;

  private:
    Effect write_enable(std::uint16_t value) noexcept;
    void make_fit() noexcept;

    State state_;
};

} // namespace coldstart::vga
