// The register core of ACPI's fixed hardware: PM1a event and control registers, PM timer. Devices
// put it at ports of their own and drive their SCI with what sync() says.
// Source: ACPI 6.4 section 4.8.
//
// Sleep states: S5 powers off. Any other SLP_TYP sleeps and wakes in the same moment: WAK_STS is
// set, so that a driver waiting for it goes on.
//
// Missing: S1 to S4, sleep button, global lock and SMI (GBL_STS is never set), RTC_STS (wake
// alarms), BM_STS.
// Threads: the owner's lock guards every call; `on_overflow` comes on the I/O thread without it.
#pragma once

#include "devices/core/acpi/pm1_spec.h"
#include "vmm/base/clock.h"

#include <cstdint>
#include <functional>
#include <memory>

namespace coldstart {

struct Pm1Options {
    /// No legacy mode: SCI_EN is always set, and the FADT has no SMI_CMD. Otherwise it starts
    /// clear; the chipset's SMI_CMD sets it by set_sci_enabled(), or the guest itself.
    bool sci_always_enabled = true;
    bool timer_32_bits = true; ///< else 24
    std::uint8_t s5_sleep_type = 5;
};

class Pm1Block {
  public:
    /// What a snapshot holds.
    struct State {
        std::uint16_t status = 0, enable = 0, control = 0;
        std::uint64_t timer_elapsed_ns = 0; ///< filled in by saved(): the timer's age
    };

    /// The owner answers `on_overflow` with a sync() under its lock.
    Pm1Block(Clock& clock, const Pm1Options& options, std::function<void()> on_overflow);

    std::uint32_t event() noexcept; ///< PM1_STS in the low half, PM1_EN in the high
    std::uint16_t control() const noexcept { return state_.control; }
    std::uint32_t timer() const noexcept;

    // `mask` has ones where the guest's access has bytes.
    void write_event(std::uint64_t mask, std::uint64_t value) noexcept;
    /// True when the guest asks for S5.
    bool write_control(std::uint64_t mask, std::uint64_t value) noexcept;

    void press_power_button() noexcept;
    void set_sci_enabled(bool enabled) noexcept;

    /// After every change: catches up with the time, arms the timer; the level of the SCI.
    bool sync() noexcept;
    bool sci_enabled() const noexcept;

    void reset() noexcept;
    State saved() const noexcept;
    bool is_possible(const State& loaded) const noexcept;
    void load(const State& loaded) noexcept;

  private:
    std::uint64_t timer_age_ns() const noexcept { return clock_.now_ns() - timer_start_ns_; }
    unsigned timer_bits() const noexcept { return options_.timer_32_bits ? 32 : 24; }
    std::uint64_t half_periods() const noexcept;
    std::uint16_t power_on_control() const noexcept;
    void start_timer(std::uint64_t age_ns) noexcept;
    void catch_up() noexcept;

    Clock& clock_;
    const Pm1Options options_;
    State state_;
    std::uint64_t timer_start_ns_ = 0;    // Clock::now_ns at which the timer stood at zero
    std::uint64_t half_periods_seen_ = 0; // half_periods() at the last catch_up

    std::unique_ptr<Timer> overflow_timer_;
};

} // namespace coldstart
