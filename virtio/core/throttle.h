// A rate limiter in front of a virtio queue, with the timer that goes on when it lets go.
//
//     if (!throttle.admit(chain.readable_bytes, 1)) { queue.undo_pop(); ...; return; }
//     ... the work ...
//     throttle.charge(chain.readable_bytes, 1);
//
// A device that was refused leaves its queue alone, without asking the driver for kicks, and looks
// at it again in `go_on`: nothing is lost meanwhile. Without a limit this costs one branch.
//
// Threads: the device lock guards everything but prepare() and held_count(). `go_on` is called on the I/O thread
// without that lock; it takes the lock, calls expired(), and processes the queue if it still may.
#pragma once

#include "devices/core/rate_limiter.h"
#include "vmm/base/clock.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

namespace coldstart {

class Throttle {
  public:
    /// `clock` outlives it; nullptr for a device that never has a limit. Throws Error.
    Throttle(Clock* clock, const RateLimitOptions& limit, std::function<void()> go_on);

    bool admit(std::uint64_t bytes, std::uint64_t operations) noexcept {
        return !limiter_.limits() || admit_limited(bytes, operations);
    }
    void charge(std::uint64_t bytes, std::uint64_t operations) noexcept {
        if (limiter_.limits())
            limiter_.charge(bytes, operations);
    }
    /// A timer runs: until then admit() says no.
    bool is_holding() const noexcept { return holding_; }
    void expired() noexcept { holding_ = false; }
    /// The queue is gone: nothing waits any more. What was used up stays used up.
    void stop() noexcept;

    /// Before update() of the same, on the control thread, without the device lock: makes the
    /// timer where a limit needs one. Throws Error.
    void prepare(const RateLimitUpdate& update);
    void update(const RateLimitUpdate& update) noexcept;
    RateLimitOptions limit() const noexcept { return limiter_.options(); }
    /// How often the queue had to wait, for statistics. Any thread.
    std::uint64_t held_count() const noexcept {
        return held_count_.load(std::memory_order_relaxed);
    }

    void save(StateWriter& writer) const { limiter_.save(writer, now_ns()); }
    /// Throws Error, also for a limit where there is no clock.
    void restore(StateReader& reader);

  private:
    void make_timer();
    bool admit_limited(std::uint64_t bytes, std::uint64_t operations) noexcept;
    std::uint64_t now_ns() const noexcept { return clock_ != nullptr ? clock_->now_ns() : 0; }

    Clock* clock_;
    std::function<void()> go_on_;
    RateLimiter limiter_;
    bool holding_ = false;
    std::atomic<std::uint64_t> held_count_ = 0;
    std::unique_ptr<Timer> timer_; ///< made with the first limit
};

} // namespace coldstart
