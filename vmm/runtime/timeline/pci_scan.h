// Bursts of accesses to PCI configuration space: firmware or a kernel looks what is there.
//
// A burst is at least `least_accesses` with gaps below `most_gap_ns`. It is told when it is over,
// with the times of its first and its last access.
// Threads: config_accessed any; it waits for nobody: of two accesses at the same time one is not
// counted. finish once the guest has come to its end.
#pragma once

#include "devices/core/pci/pci_bus.h"
#include "vmm/runtime/timeline/recorder.h"

#include <atomic>
#include <cstdint>

namespace coldstart {

class PciScanWatch final : public PciConfigObserver {
  public:
    static constexpr std::uint32_t least_accesses = 32;
    static constexpr std::uint64_t most_gap_ns = 10'000'000;

    /// `recorder` outlives it.
    explicit PciScanWatch(TimelineRecorder& recorder) : recorder_(recorder) {}

    void config_accessed() noexcept override;
    /// The same at `now_ns` of CLOCK_MONOTONIC.
    void accessed_at(std::uint64_t now_ns) noexcept;
    /// The burst under way is over.
    void finish() noexcept;

  private:
    void tell() noexcept;

    TimelineRecorder& recorder_;
    std::atomic_flag busy_ = ATOMIC_FLAG_INIT; ///< guards what follows
    std::uint64_t first_ns_ = 0, last_ns_ = 0;
    std::uint32_t accesses_ = 0;
};

} // namespace coldstart
