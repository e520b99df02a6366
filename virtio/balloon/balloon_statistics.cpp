#include "virtio/balloon/balloon_statistics.h"

#include "virtio/balloon/spec.h"

#include <array>

namespace coldstart {
namespace {

/// By tag.
constexpr std::array<std::optional<std::uint64_t> BalloonStatistics::*, balloon::statistic_tags>
    members = {
        &BalloonStatistics::swap_in,
        &BalloonStatistics::swap_out,
        &BalloonStatistics::major_faults,
        &BalloonStatistics::minor_faults,
        &BalloonStatistics::free_memory,
        &BalloonStatistics::total_memory,
        &BalloonStatistics::available_memory,
        &BalloonStatistics::disk_caches,
        &BalloonStatistics::hugetlb_allocations,
        &BalloonStatistics::hugetlb_failures,
        &BalloonStatistics::oom_kill,
        &BalloonStatistics::alloc_stall,
        &BalloonStatistics::async_scan,
        &BalloonStatistics::direct_scan,
        &BalloonStatistics::async_reclaim,
        &BalloonStatistics::direct_reclaim,
};

} // namespace

std::optional<std::uint64_t>* BalloonStatistics::find(std::uint16_t tag) noexcept {
    return tag < members.size() ? &(this->*members[tag]) : nullptr;
}

const std::optional<std::uint64_t>* BalloonStatistics::find(std::uint16_t tag) const noexcept {
    return tag < members.size() ? &(this->*members[tag]) : nullptr;
}

} // namespace coldstart
