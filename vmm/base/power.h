// What a device may ask of the machine as a whole.
#pragma once

#include <cstdint>

namespace coldstart {

class PowerControl {
  public:
    virtual ~PowerControl() = default;

    // Each records the wish and returns at once; the machine acts on it after the exit is handled.
    // Any thread.
    virtual void power_off() noexcept = 0;
    virtual void reset() noexcept = 0;
    virtual void guest_panicked() noexcept = 0;
    /// The guest asks that the process end with this exit status. Where nobody listens for that it
    /// is a power-off.
    virtual void exit_with([[maybe_unused]] std::uint8_t status) noexcept { power_off(); }
};

} // namespace coldstart
