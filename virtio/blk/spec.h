// Numbers of the virtio block device: virtio 1.2, section 5.2.
#pragma once

#include <cstddef>
#include <cstdint>

namespace coldstart::virtio_blk {

inline constexpr std::uint64_t sector_bytes = 512; ///< whatever the block size

// Features, 5.2.3.
inline constexpr std::uint64_t feature_seg_max = 1ull << 2;
inline constexpr std::uint64_t feature_ro = 1ull << 5;
inline constexpr std::uint64_t feature_blk_size = 1ull << 6;
inline constexpr std::uint64_t feature_flush = 1ull << 9;
inline constexpr std::uint64_t feature_topology = 1ull << 10;
inline constexpr std::uint64_t feature_mq = 1ull << 12;
inline constexpr std::uint64_t feature_discard = 1ull << 13;
inline constexpr std::uint64_t feature_write_zeroes = 1ull << 14;

// Offsets in the configuration structure, 5.2.4.
namespace config {
inline constexpr std::size_t capacity = 0;                  // le64, in sectors
inline constexpr std::size_t seg_max = 12;                  // le32
inline constexpr std::size_t blk_size = 20;                 // le32
inline constexpr std::size_t physical_block_exp = 24;       // u8
inline constexpr std::size_t alignment_offset = 25;         // u8
inline constexpr std::size_t min_io_size = 26;              // le16, in blocks
inline constexpr std::size_t opt_io_size = 28;              // le32, in blocks
inline constexpr std::size_t num_queues = 34;               // le16
inline constexpr std::size_t max_discard_sectors = 36;      // le32
inline constexpr std::size_t max_discard_seg = 40;          // le32
inline constexpr std::size_t discard_sector_alignment = 44; // le32
inline constexpr std::size_t max_write_zeroes_sectors = 48; // le32
inline constexpr std::size_t max_write_zeroes_seg = 52;     // le32
inline constexpr std::size_t write_zeroes_may_unmap = 56;   // u8
inline constexpr std::size_t size_bytes = 60;
} // namespace config

// Requests, 5.2.6.
inline constexpr std::uint32_t type_in = 0;
inline constexpr std::uint32_t type_out = 1;
inline constexpr std::uint32_t type_flush = 4;
inline constexpr std::uint32_t type_get_id = 8;
inline constexpr std::uint32_t type_discard = 11;
inline constexpr std::uint32_t type_write_zeroes = 13;

struct RequestHeader {
    std::uint32_t type = 0;
    std::uint32_t reserved = 0;
    std::uint64_t sector = 0;
};
static_assert(sizeof(RequestHeader) == 16);

/// One range of a discard or write-zeroes request.
struct RangeSegment {
    std::uint64_t sector = 0;
    std::uint32_t sectors = 0;
    std::uint32_t flags = 0;
};
static_assert(sizeof(RangeSegment) == 16);
inline constexpr std::uint32_t range_unmap = 1;

inline constexpr std::size_t id_bytes = 20;

enum class Status : std::uint8_t { ok = 0, io_error = 1, unsupported = 2 };

} // namespace coldstart::virtio_blk
