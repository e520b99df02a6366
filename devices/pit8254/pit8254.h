// The interval timer of a PC: an 8254 with three counters, and system control port B, through which
// software opens the gate of counter 2 (the speaker's) and sees its output.
// Source: Intel 8254 data sheet (231164); ICH9 data sheet section 13.7.1.
//
// Counter 0 sends an edge whenever its output rises. A count is worked out when somebody asks; a
// timer is armed for the next rise of counter 0 alone. Edges come at most every 200 us, and one
// that the host is late for is not made up: a kernel that counts ticks and looks at no other clock
// falls behind by those.
//
// Simplified: see counter.h. Missing: the speaker, NMI sources and their enables (bits are kept).
// Byte accesses only.
//
// Threads: read, write and save on any thread; the timer on the I/O thread.
#pragma once

#include "devices/core/device.h"
#include "devices/pit8254/counter.h"
#include "vmm/base/clock.h"

#include <array>
#include <memory>
#include <mutex>

namespace coldstart {

class Pit8254 final : public Device {
  public:
    Pit8254(IrqLine& irq, Clock& clock);

    std::string_view type() const noexcept override { return "pit8254"; }
    std::span<const RegionShape> regions() const noexcept override;
    std::span<const LineShape> lines() const noexcept override;

    std::uint64_t read(unsigned region, std::uint64_t offset, unsigned width) noexcept override;
    void write(unsigned region, std::uint64_t offset, unsigned width,
               std::uint64_t value) noexcept override;

    void reset() override;
    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;

  private:
    std::uint64_t now_clocks() const noexcept;
    std::uint8_t read_control() const noexcept;
    void write_control_word(std::uint8_t value, std::uint64_t now) noexcept;
    void power_on() noexcept;
    void on_timer() noexcept;
    /// Arms the timer for the next edge, no earlier than `earliest_ns`.
    void sync(std::uint64_t earliest_ns = 0) noexcept;

    IrqLine& irq_;
    Clock& clock_;

    mutable std::mutex lock_; // guards what follows
    std::array<pit8254::Counter, pit8254::counters> counters_;
    std::uint8_t control_ = 0;
    std::uint64_t next_edge_ = 0; ///< in clocks; while the timer is armed

    std::unique_ptr<Timer> timer_; // last: destroyed first, as its callback uses the rest
};

} // namespace coldstart
