#include "vmm/runtime/timeline/pci_scan.h"

#include "vmm/base/monotonic.h"

#include <utility>

namespace coldstart {

void PciScanWatch::config_accessed() noexcept {
    accessed_at(monotonic_ns());
}

void PciScanWatch::accessed_at(std::uint64_t now_ns) noexcept {
    if (busy_.test_and_set(std::memory_order_acquire))
        return;
    if (accesses_ != 0 && now_ns > last_ns_ + most_gap_ns)
        tell();
    if (accesses_++ == 0)
        first_ns_ = now_ns;
    last_ns_ = now_ns;
    busy_.clear(std::memory_order_release);
}

void PciScanWatch::finish() noexcept {
    if (busy_.test_and_set(std::memory_order_acquire))
        return;
    tell();
    busy_.clear(std::memory_order_release);
}

void PciScanWatch::tell() noexcept {
    const std::uint32_t accesses = std::exchange(accesses_, 0);
    if (accesses < least_accesses)
        return;
    recorder_.record(Milestone::pci_scan_begin, first_ns_);
    recorder_.record(Milestone::pci_scan_end, last_ns_, {}, accesses);
}

} // namespace coldstart
