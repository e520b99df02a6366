// ACPI fixed hardware: PM1a event and control registers, PM timer, reset register, power button.
// Source: ACPI 6.4 section 4.8 (fixed hardware), ICH9 data sheet 13.7.5 (reset register).
//
// Sleep states: S5 powers off. Any other SLP_TYP sleeps and wakes in the same moment: WAK_STS is
// set, so that a driver waiting for it goes on.
//
// Missing: S1 to S4, sleep button, general-purpose events, global lock and SMI (GBL_STS is never
// set), RTC_STS (wake alarms), BM_STS.
// Threads: read, write, press_power_button and save on any thread; the timer on the I/O thread.
#pragma once

#include "devices/acpi_pm/spec.h"
#include "devices/core/device.h"
#include "vmm/base/clock.h"
#include "vmm/base/power.h"

#include <memory>
#include <mutex>

namespace coldstart {

struct AcpiPmOptions {
    /// No legacy mode: SCI_EN is always set, and the FADT has no SMI_CMD. Otherwise it starts
    /// clear; the chipset's SMI_CMD sets it by set_sci_enabled(), or the guest itself.
    bool sci_always_enabled = true;
    bool timer_32_bits = true; ///< else 24
    std::uint8_t s5_sleep_type = 5;
};

class AcpiPm final : public Device {
  public:
    /// All three outlive the device.
    AcpiPm(IrqLine& sci, Clock& clock, PowerControl& power, const AcpiPmOptions& options = {});

    std::string_view type() const noexcept override { return "acpi-pm"; }
    std::span<const RegionShape> regions() const noexcept override;
    std::span<const LineShape> lines() const noexcept override;
    AcpiDescription acpi() const override;

    std::uint64_t read(unsigned region, std::uint64_t offset, unsigned width) noexcept override;
    void write(unsigned region, std::uint64_t offset, unsigned width,
               std::uint64_t value) noexcept override;

    void resume() override;
    void reset() override;
    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;

    /// Someone presses the power button; the guest's driver hears of it by SCI. Any thread.
    void press_power_button() noexcept;
    /// What ACPI_ENABLE and ACPI_DISABLE at SMI_CMD do on chipsets that have it. Any thread.
    void set_sci_enabled(bool enabled) noexcept;

  private:
    struct State {
        std::uint16_t status = 0, enable = 0, control = 0;
        std::uint8_t reset_control = 0;
        std::uint64_t timer_elapsed_ns = 0; ///< filled in by save: the timer's age
    };

    std::uint64_t timer_age_ns() const noexcept { return clock_.now_ns() - timer_start_ns_; }
    unsigned timer_bits() const noexcept { return options_.timer_32_bits ? 32 : 24; }
    std::uint64_t half_periods() const noexcept;
    std::uint16_t power_on_control() const noexcept;
    void start_timer(std::uint64_t age_ns) noexcept;

    void write_event(std::uint64_t mask, std::uint64_t value) noexcept;
    /// True when the guest asks for S5.
    bool write_control(std::uint64_t mask, std::uint64_t value) noexcept;
    bool write_reset(std::uint64_t value) noexcept;

    void catch_up() noexcept;
    void sync() noexcept;

    IrqLine& sci_;
    Clock& clock_;
    PowerControl& power_;
    const AcpiPmOptions options_;

    mutable std::mutex lock_; // guards what follows
    State state_;
    std::uint64_t timer_start_ns_ = 0;    // Clock::now_ns at which the timer stood at zero
    std::uint64_t half_periods_seen_ = 0; // half_periods() at the last catch_up

    std::unique_ptr<Timer> overflow_timer_; // last: destroyed first, as its callback uses the rest
};

} // namespace coldstart
