// One interrupt input, as a device sees it: a level it drives, or a pulse it sends. The device
// knows neither GSI nor controller; the board decides those.
//
// A line is a leaf: driving it never calls back into a device, so a device may drive it while it
// holds its own lock. Any thread may drive it.
#pragma once

namespace coldstart {

class IrqLine {
  public:
    virtual ~IrqLine() = default;

    /// Drive the level. Called with the same level twice, the second call does nothing.
    virtual void set_level(bool asserted) noexcept = 0;

    /// One edge: for edge-triggered sources, each call is an interrupt of its own.
    virtual void pulse() noexcept {
        set_level(true);
        set_level(false);
    }
};

/// A line that leads nowhere: for a device whose interrupt the board leaves unconnected.
class UnconnectedIrqLine final : public IrqLine {
  public:
    void set_level(bool) noexcept override {}
};

} // namespace coldstart
