// ACPI fixed hardware of a board without a chipset: PM1a event and control registers, PM timer,
// reset register, power button.
// Source: ACPI 6.4 section 4.8 (fixed hardware), ICH9 data sheet 13.7.5 (reset register).
//
// Missing: general-purpose events, and what core/acpi/pm1_block.h leaves out.
// Threads: read, write, press_power_button and save on any thread; the timer on the I/O thread.
#pragma once

#include "devices/acpi_pm/spec.h"
#include "devices/core/acpi/pm1_block.h"
#include "devices/core/acpi/power_button.h"
#include "devices/core/device.h"
#include "vmm/base/clock.h"
#include "vmm/base/power.h"

#include <mutex>

namespace coldstart {

using AcpiPmOptions = Pm1Options;

class AcpiPm final : public Device, public PowerButton {
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

    void press_power_button() noexcept override;
    /// What ACPI_ENABLE and ACPI_DISABLE at SMI_CMD do on chipsets that have it. Any thread.
    void set_sci_enabled(bool enabled) noexcept;

  private:
    /// True when the guest asks for a reset.
    bool write_reset(std::uint64_t value) noexcept;
    void sync() noexcept { sci_.set_level(pm1_.sync()); }

    IrqLine& sci_;
    PowerControl& power_;
    const AcpiPmOptions options_;

    mutable std::mutex lock_; // guards what follows
    std::uint8_t reset_control_ = 0;
    Pm1Block pm1_; // last: destroyed first, as its timer's callback uses the rest
};

} // namespace coldstart
