// Guest RAM that is mapped from a file, when the file is cut short while the guest runs.
//
// The host then has no page to give. The guest's own access ends KVM_RUN with EFAULT; the monitor's
// (a device that moves data for the guest) would be SIGBUS and the end of the process. Here the
// page becomes a fresh one instead, and the monitor goes on and can say what has happened.
// Threads: the control thread; the signal may come to any.
#pragma once

#include "vmm/base/guest_memory.h"

namespace coldstart {

/// One machine at a time.
class TornFileGuard {
  public:
    TornFileGuard() = default;
    ~TornFileGuard();
    TornFileGuard(const TornFileGuard&) = delete;
    TornFileGuard& operator=(const TornFileGuard&) = delete;

    /// From now on SIGBUS in what GuestMemory::map_file() has put there is no end of the process.
    /// Any other SIGBUS does what it did before.
    void watch(const GuestMemory& memory);

    /// Whether a page put there could not be had since, or can't be now. Reads them all in: for a
    /// machine that has come to its end. Hosts before Linux 5.14 know of the former only.
    bool is_torn(const GuestMemory& memory) const noexcept;
};

} // namespace coldstart
