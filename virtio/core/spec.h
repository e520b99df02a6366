// Numbers of virtio 1.2 that transports, queues and devices share.
// Source: virtio 1.2, sections 2.1 (status), 2.7 (split virtqueues).
#pragma once

#include <cstddef>
#include <cstdint>

namespace coldstart {

/// Device status, section 2.1.
namespace virtio_status {
inline constexpr std::uint8_t acknowledge = 1;
inline constexpr std::uint8_t driver = 2;
inline constexpr std::uint8_t driver_ok = 4;
inline constexpr std::uint8_t features_ok = 8;
inline constexpr std::uint8_t needs_reset = 64;
inline constexpr std::uint8_t failed = 128;
} // namespace virtio_status

/// Split virtqueues, section 2.7. All fields little-endian.
namespace virtq {

inline constexpr std::uint32_t max_size = 32768;

/// One entry of a descriptor table, 2.7.5.
struct Descriptor {
    std::uint64_t address = 0;
    std::uint32_t length = 0;
    std::uint16_t flags = 0;
    std::uint16_t next = 0;
};
static_assert(sizeof(Descriptor) == 16);

inline constexpr std::uint16_t desc_next = 1;
inline constexpr std::uint16_t desc_write = 2; ///< device-writable, else device-readable
inline constexpr std::uint16_t desc_indirect = 4;

/// One entry of the used ring, 2.7.8.
struct UsedElement {
    std::uint32_t id = 0;
    std::uint32_t length = 0;
};

// Both rings: le16 flags, le16 idx, the entries, and with EVENT_IDX a le16 event index.
inline constexpr std::size_t ring_flags = 0;
inline constexpr std::size_t ring_index = 2;
inline constexpr std::size_t ring_entries = 4;
inline constexpr std::uint16_t avail_no_interrupt = 1;
inline constexpr std::uint16_t used_no_notify = 1;

// Alignment, 2.7.
inline constexpr std::uint64_t descriptor_alignment = 16;
inline constexpr std::uint64_t avail_alignment = 2;
inline constexpr std::uint64_t used_alignment = 4;

constexpr std::uint64_t descriptor_table_bytes(std::uint16_t size) noexcept {
    return std::uint64_t{16} * size;
}
constexpr std::uint64_t avail_bytes(std::uint16_t size, bool event_idx) noexcept {
    return 4 + std::uint64_t{2} * size + (event_idx ? 2 : 0);
}
constexpr std::uint64_t used_bytes(std::uint16_t size, bool event_idx) noexcept {
    return 4 + std::uint64_t{8} * size + (event_idx ? 2 : 0);
}

/// Section 2.7.7.2: does moving an index from `old` to `now` pass `event`? All modulo 2^16.
constexpr bool need_event(std::uint16_t event, std::uint16_t now, std::uint16_t old) noexcept {
    return static_cast<std::uint16_t>(now - event - 1) < static_cast<std::uint16_t>(now - old);
}

} // namespace virtq
} // namespace coldstart
