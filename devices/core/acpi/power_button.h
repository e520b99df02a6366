// The machine's power button, on whichever device of the board has it.
#pragma once

namespace coldstart {

class PowerButton {
  public:
    virtual ~PowerButton() = default;

    /// Someone presses it; the guest's driver hears of it by an interrupt. Any thread.
    virtual void press_power_button() noexcept = 0;
};

} // namespace coldstart
