// High precision event timers: a counter of 100 MHz and three comparators, each one-shot or
// periodic, of 32 or 64 bits, with an interrupt by edge or by level.
// Source: IA-PC HPET Specification 1.0a.
//
// The counter is the machine's clock and stands still with it. Nothing runs while nobody looks: an
// access works out what happened since the last one, and the host's timer is armed only for an
// interrupt that would be delivered.
//
// A comparator matches when the counter passes it; set to a moment that has just passed, at most
// late_ticks ago, it matches at once, as a guest is slower than the hardware its driver was
// written for. Interrupts of a period that is too short for the host merge.
//
// The routes are the interrupts the board gives: one line each.
//
// Missing: legacy replacement (KVM's own PIT drives interrupt 0), messages (FSB routing). The
// counter can be written only while it is halted.
// Threads: read, write and save on any thread; the timer on the I/O thread.
#pragma once

#include "devices/core/device.h"
#include "devices/hpet/spec.h"
#include "vmm/base/clock.h"

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace coldstart {

class Hpet final : public Device {
  public:
    /// The HPET table's event timer block id and shortest period.
    static constexpr std::uint32_t event_timer_block_id =
        static_cast<std::uint32_t>(hpet::capabilities);
    static constexpr std::uint16_t minimum_ticks = 2000; ///< 20 us

    static constexpr std::uint64_t late_ticks = 1'000'000; ///< 10 ms

    /// lines[i] leads to gsis[i], which is below 32; lines and clock outlive the device. Throws
    /// Error when there is no interrupt or one that can't be a route.
    Hpet(std::span<IrqLine* const> lines, std::span<const std::uint32_t> gsis, Clock& clock);

    std::string_view type() const noexcept override { return "hpet"; }
    std::span<const RegionShape> regions() const noexcept override;
    std::span<const LineShape> lines() const noexcept override { return line_shapes_; }
    AcpiDescription acpi() const override;

    std::uint64_t read(unsigned region, std::uint64_t offset, unsigned width) noexcept override;
    void write(unsigned region, std::uint64_t offset, unsigned width,
               std::uint64_t value) noexcept override;

    void resume() override;
    void reset() override;
    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;

  private:
    /// Ticks of the clock, of which the counter is a constant off.
    static constexpr std::uint64_t never = ~std::uint64_t{0};

    struct Timer {
        std::uint64_t configuration = 0; ///< the writable bits
        std::uint64_t comparator = ~std::uint64_t{0};
        std::uint64_t period = 0;
        std::uint64_t due_tick = never; ///< when it matches next; means something while running
    };

    struct State {
        std::uint64_t configuration = 0;
        std::uint64_t status = 0;
        std::uint64_t counter = 0; ///< while running: the counter at tick zero of the clock
        std::array<Timer, hpet::timer_count> timers{};
    };

    bool running() const noexcept;
    std::uint64_t now_tick() const noexcept;
    std::uint64_t counter(std::uint64_t tick) const noexcept;

    std::uint64_t read_register(std::uint64_t offset) noexcept;
    void write_register(std::uint64_t offset, std::uint64_t value, std::uint64_t mask) noexcept;
    void write_configuration(std::uint64_t value) noexcept;
    void write_timer(Timer& timer, std::uint64_t value) noexcept;
    void write_comparator(Timer& timer, std::uint64_t value, std::uint64_t mask) noexcept;

    void aim(Timer& timer, std::uint64_t allowed_late) noexcept;
    void catch_up() noexcept;
    void match(unsigned index, std::uint64_t tick) noexcept;
    void sync() noexcept;
    void arm() noexcept;

    unsigned route(const Timer& timer) const noexcept;
    bool has_route(unsigned gsi) const noexcept { return (routes_ >> gsi & 1) != 0; }
    static State from_reader(StateReader& reader);

    std::vector<IrqLine*> lines_;
    std::vector<std::uint32_t> gsis_;
    std::vector<LineShape> line_shapes_;
    std::uint64_t routes_ = 0; ///< bit n: GSI n
    Clock& clock_;

    mutable std::mutex lock_; // guards what follows
    State state_;

    std::unique_ptr<coldstart::Timer>
        timer_; // last: destroyed first, as its callback uses the rest
};

} // namespace coldstart
