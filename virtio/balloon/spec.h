// Numbers of the traditional memory balloon device.
// Source: virtio 1.2, section 5.5; statistics from 10 on: virtio 1.4 and Linux 6.12.
#pragma once

#include <cstddef>
#include <cstdint>

namespace coldstart::balloon {

// Features, 5.5.3.
inline constexpr std::uint64_t feature_stats_vq = 1ull << 1;
inline constexpr std::uint64_t feature_deflate_on_oom = 1ull << 2;
inline constexpr std::uint64_t feature_free_page_hint = 1ull << 3;
inline constexpr std::uint64_t feature_page_reporting = 1ull << 5;

// Configuration space, 5.5.4: little-endian 32-bit words.
inline constexpr std::size_t config_num_pages = 0;       ///< RO: the target
inline constexpr std::size_t config_actual = 4;          ///< RW: what the driver holds
inline constexpr std::size_t config_hint_command_id = 8; ///< RO
inline constexpr std::size_t config_poison_value = 12;   ///< zero without PAGE_POISON
inline constexpr std::size_t config_bytes = 16;

/// A balloon page is 4 KiB whatever the guest's pages are, and has a 32-bit number.
inline constexpr unsigned page_shift = 12;
inline constexpr std::uint32_t pages_a_mib = 256;
using PageNumber = std::uint32_t;

// Commands of free page hinting, 5.5.6.5. Others name a run.
inline constexpr std::uint32_t hint_stop = 0; ///< the run is over; the driver keeps the pages
inline constexpr std::uint32_t hint_done = 1; ///< the driver may use the hinted pages again
inline constexpr std::uint32_t hint_first_run = 2;

/// One statistic in a buffer of the statistics queue, 5.5.6.3: le16 tag, le64 value.
inline constexpr std::size_t statistic_bytes = 10;

/// Tags 0 to 15; balloon_statistics.cpp names them.
inline constexpr std::size_t statistic_tags = 16;

} // namespace coldstart::balloon
