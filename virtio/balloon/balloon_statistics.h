// What a guest says of its memory through its balloon, as plain data.
// Source: virtio 1.2, section 5.5.6.4; Linux 6.12 for those from oom_kill on.
//
// Every number is the guest's word and nothing more. One that the guest has never told is absent.
// Amounts of memory are in bytes, the others count events since the guest's start; Linux gives
// those of scan and reclaim in bytes too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace coldstart {

struct BalloonStatistics {
    std::optional<std::uint64_t> swap_in;
    std::optional<std::uint64_t> swap_out;
    std::optional<std::uint64_t> major_faults;
    std::optional<std::uint64_t> minor_faults;
    std::optional<std::uint64_t> free_memory;
    std::optional<std::uint64_t> total_memory;
    std::optional<std::uint64_t> available_memory;
    std::optional<std::uint64_t> disk_caches;
    std::optional<std::uint64_t> hugetlb_allocations;
    std::optional<std::uint64_t> hugetlb_failures;
    std::optional<std::uint64_t> oom_kill;
    std::optional<std::uint64_t> alloc_stall;
    std::optional<std::uint64_t> async_scan;
    std::optional<std::uint64_t> direct_scan;
    std::optional<std::uint64_t> async_reclaim;
    std::optional<std::uint64_t> direct_reclaim;

    bool operator==(const BalloonStatistics&) const noexcept = default;

    /// The member of a tag of the specification; nullptr for one that is not known here.
    std::optional<std::uint64_t>* find(std::uint16_t tag) noexcept;
    const std::optional<std::uint64_t>* find(std::uint16_t tag) const noexcept;
};

} // namespace coldstart
