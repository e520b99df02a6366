// A port by which a test guest ends the machine and says how it went: value v ends it with exit
// status (v << 1) | 1, of which eight bits are left. Never 0, which a guest says by powering off.
// Source: QEMU's isa-debug-exit, documented by its users: kvm-unit-tests, Rust's bootimage.
//
// Four ports; an access of 1, 2 or 4 bytes at the first one counts. Reads answer zero.
// Threads: read and write on any thread; there is no state.
#pragma once

#include "devices/core/device.h"
#include "vmm/base/power.h"

namespace coldstart {

class DebugExit final : public Device {
  public:
    /// `power` outlives the device.
    explicit DebugExit(PowerControl& power) : power_(power) {}

    std::string_view type() const noexcept override { return "isa-debug-exit"; }
    std::span<const RegionShape> regions() const noexcept override;

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
