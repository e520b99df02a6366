// One counter of an 8254: its count, output and registers as functions of the time, which the
// caller gives in clocks of the timer's input. Nothing runs while nobody asks.
// Source: Intel 8254 data sheet (231164).
//
// Simplified: a count written in mode 2 or 3 starts a period at once instead of after the running
// one; the first byte of two does not stop a running count; a count is loaded in the clock in which
// it is written.
// Threads: one at a time, the owner's lock held.
#pragma once

#include "devices/pit8254/spec.h"
#include "vmm/base/state_io.h"

#include <cstdint>
#include <optional>

namespace coldstart::pit8254 {

class Counter {
  public:
    void write_control(std::uint8_t control) noexcept;
    void write(std::uint8_t value, std::uint64_t now) noexcept;
    std::uint8_t read(std::uint64_t now) noexcept;
    void latch_count(std::uint64_t now) noexcept;
    void latch_status(std::uint64_t now) noexcept;
    void set_gate(bool open, std::uint64_t now) noexcept;

    bool output(std::uint64_t now) const noexcept;
    /// When the output rises next, after `now`; nothing: not by itself.
    std::optional<std::uint64_t> next_rise(std::uint64_t now) const noexcept;

    /// Times are saved as what has passed, so that they mean the same to another clock.
    void save(StateWriter& writer, std::uint64_t now) const;
    /// Throws Error.
    void restore(StateReader& reader, std::uint64_t now);

  private:
    struct State {
        std::uint8_t mode = 0;
        Access access = Access::low_then_high;
        bool bcd = false;
        bool gate = true;
        bool loaded = false;                        ///< a count was written since the control word
        bool running = false;                       ///< it counts; else it stands at `elapsed`
        std::uint32_t period = 0;                   ///< 1 to 65536, or to 10000 in BCD
        std::uint64_t elapsed = 0;                  ///< clocks counted when it stopped
        bool low_written = false, low_read = false; ///< of two bytes
        std::uint8_t low_byte = 0;
        bool count_latched = false, status_latched = false;
        std::uint16_t latched_count = 0;
        std::uint8_t latched_status = 0;
    };

    static bool is_possible(const State& state) noexcept;

    bool repeats() const noexcept { return state_.mode == 2 || state_.mode == 3; }
    bool waits_for_trigger() const noexcept { return state_.mode == 1 || state_.mode == 5; }
    std::uint64_t elapsed(std::uint64_t now) const noexcept;
    std::uint16_t count(std::uint64_t now) const noexcept;
    void load(std::uint16_t written, std::uint64_t now) noexcept;

    State state_;
    std::uint64_t start_ = 0; ///< while it runs: when it began
};

} // namespace coldstart::pit8254
