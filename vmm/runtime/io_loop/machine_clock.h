// The machine's clock on the host's CLOCK_MONOTONIC, with timers on the I/O loop. It stands still
// while the machine is paused, and its timers with it.
// Threads: now_ns and wall_ns any; arm and cancel any; pause and resume the control thread.
#pragma once

#include "vmm/base/clock.h"
#include "vmm/base/reactor.h"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

namespace coldstart {

class MachineClock final : public Clock {
  public:
    explicit MachineClock(Reactor& reactor);

    std::uint64_t now_ns() const noexcept override;
    std::int64_t wall_ns() const noexcept override;
    std::unique_ptr<Timer> make_timer(std::function<void()> on_expiry) override;

    void pause() noexcept;
    void resume() noexcept;

  private:
    class FdTimer;

    Reactor& reactor_;
    mutable std::mutex mutex_; // guards timers_ and the change of the two numbers below
    std::vector<FdTimer*> timers_;
    std::atomic<std::uint64_t> behind_ns_{0};  // host time minus machine time
    std::atomic<std::uint64_t> stopped_at_{0}; // machine time while paused; 0: running
};

} // namespace coldstart
