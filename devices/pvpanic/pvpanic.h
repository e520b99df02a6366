// Paravirtual panic notifier on the ISA bus: a guest kernel reports its own crash.
// Source: QEMU docs/specs/pvpanic (device "pvpanic", I/O port 0x505 by convention).
//
// Missing: nothing is done about "crash kernel loaded" (bit 1): that guest saves its own dump and
// reboots. It is offered so that Linux does not report such a crash as a plain panic.
// Byte accesses only.
// Threads: read and write on any thread; no state.
#pragma once

#include "devices/core/device.h"
#include "vmm/base/power.h"

namespace coldstart {

class PvPanic final : public Device {
  public:
    /// `power` outlives the device.
    explicit PvPanic(PowerControl& power) : power_(power) {}

    std::string_view type() const noexcept override { return "pvpanic"; }
    std::span<const RegionShape> regions() const noexcept override;
    AcpiDescription acpi() const override;

    std::uint64_t read(unsigned region, std::uint64_t offset, unsigned width) noexcept override;
    void write(unsigned region, std::uint64_t offset, unsigned width,
               std::uint64_t value) noexcept override;

    void reset() override {}
    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;

  private:
    PowerControl& power_;
};

} // namespace coldstart
