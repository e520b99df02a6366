// Power management of a hardware-reduced ACPI machine: sleep control and status, the reset
// register, and a Generic Event Device whose one event is the power button. What it replaces, PM1
// blocks and PM timer with their SCI, costs a kernel some milliseconds of its boot: with these go
// the legacy interrupts of the 8259s and the PIT, which it then neither probes nor sets up.
// Source: ACPI 6.4 sections 4.1 (hardware-reduced ACPI), 4.8.3.7 (sleep registers), 5.6.9 (GED).
//
// Sleep states: S5 powers off. Any other SLP_TYP sleeps and wakes in the same moment: WAK_STS is
// set, so that a driver waiting for it goes on.
//
// For programs that know a port and no ACPI there is a fourth register, which no table names: a
// word written there that puts machines with fixed hardware into S5 powers this one off as well.
//
// Missing: S1 to S4, wake events, events but the power button.
// Threads: read, write, press_power_button and save on any thread.
#pragma once

#include "devices/acpi_ged/spec.h"
#include "devices/core/acpi/power_button.h"
#include "devices/core/device.h"
#include "vmm/base/power.h"

#include <mutex>

namespace coldstart {

class AcpiGed final : public Device, public PowerButton {
  public:
    /// Both outlive the device. `event` is the GED's interrupt.
    AcpiGed(IrqLine& event, PowerControl& power) noexcept : event_(event), power_(power) {}

    std::string_view type() const noexcept override { return "acpi-ged"; }
    std::span<const RegionShape> regions() const noexcept override;
    std::span<const LineShape> lines() const noexcept override;
    AcpiDescription acpi() const override;

    std::uint64_t read(unsigned region, std::uint64_t offset, unsigned width) noexcept override;
    void write(unsigned region, std::uint64_t offset, unsigned width,
               std::uint64_t value) noexcept override;

    void reset() override;
    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;

    void press_power_button() noexcept override { event_.pulse(); }

  private:
    struct State {
        std::uint8_t sleep_control = 0, sleep_status = 0, reset_control = 0;
    };

    /// True when the guest asks for S5.
    bool write_sleep_control(std::uint64_t value) noexcept;
    void clear_sleep_status(std::uint64_t ones) noexcept;
    /// True when the guest asks for a reset.
    bool write_reset_control(std::uint64_t value) noexcept;

    IrqLine& event_;
    PowerControl& power_;

    mutable std::mutex lock_; // guards what follows
    State state_;
};

} // namespace coldstart
