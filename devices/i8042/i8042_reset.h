// The reset line of a PC/AT keyboard controller (Intel 8042), which Linux and others pull to
// reboot: command 0xfe, or the output port with bit 0 clear.
// Source: IBM PC/AT Technical Reference; ICH9 data sheet 5.10 (RCIN#).
//
// Missing: everything else of an 8042: keyboard, mouse, A20, interrupts and the other commands.
// It always says that it has nothing to read and is ready. acpi() therefore claims no controller,
// and an operating system that heeds the FADT does not probe for one.
// Threads: read and write on any thread.
#pragma once

#include "devices/core/device.h"
#include "vmm/base/power.h"

#include <atomic>

namespace coldstart {

class I8042Reset final : public Device {
  public:
    /// `power` outlives the device.
    explicit I8042Reset(PowerControl& power) : power_(power) {}

    std::string_view type() const noexcept override { return "i8042-reset"; }
    std::span<const RegionShape> regions() const noexcept override;

    std::uint64_t read(unsigned region, std::uint64_t offset, unsigned width) noexcept override;
    void write(unsigned region, std::uint64_t offset, unsigned width,
               std::uint64_t value) noexcept override;

    void reset() override { output_port_next_ = false; }
    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;

  private:
    PowerControl& power_;
    std::atomic<bool> output_port_next_ = false; // command 0xd1 waits for its operand
};

} // namespace coldstart
