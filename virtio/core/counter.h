// A count for statistics that one thread at a time raises, under the device lock, and any may read:
// a plain addition, no locked instruction.
#pragma once

#include <atomic>
#include <cstdint>

namespace coldstart {

class Counter {
  public:
    void add(std::uint64_t more = 1) noexcept {
        value_.store(get() + more, std::memory_order_relaxed);
    }
    std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::uint64_t> value_ = 0;
};

} // namespace coldstart
