// Time as devices see it: a monotonic clock that stands still while the machine is paused, the
// wall clock for the RTC, and one-shot timers. Tests give a device a clock they turn by hand.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace coldstart {

/// A one-shot timer. Its callback runs on the thread of the clock's owner (the I/O thread), which
/// holds no lock of its own meanwhile. arm and cancel never run it on the caller's stack: like an
/// IrqLine they are leaves that a device may call while it holds its own lock.
class Timer {
  public:
    virtual ~Timer() = default; ///< after it, the callback does not run again

    /// (Re)arm for `deadline_ns` of Clock::now_ns; a deadline in the past fires at once.
    virtual void arm(std::uint64_t deadline_ns) noexcept = 0;
    virtual void cancel() noexcept = 0;
};

class Clock {
  public:
    virtual ~Clock() = default;

    /// Nanoseconds since an arbitrary start; never goes back. Any thread.
    virtual std::uint64_t now_ns() const noexcept = 0;

    /// Seconds and nanoseconds since 1970-01-01 UTC. Any thread.
    virtual std::int64_t wall_ns() const noexcept = 0;

    virtual std::unique_ptr<Timer> make_timer(std::function<void()> on_expiry) = 0;
};

} // namespace coldstart
