// Numbers of the virtio socket device: virtio 1.2, section 5.10.
#pragma once

#include <cstddef>
#include <cstdint>

namespace coldstart::virtio_vsock {

// Features, 5.10.3.
inline constexpr std::uint64_t feature_stream = 1ull << 0;

// The configuration structure, 5.10.4. All RO.
namespace config {
inline constexpr std::size_t guest_cid = 0; // le64
inline constexpr std::size_t size_bytes = 8;
} // namespace config

inline constexpr std::uint64_t host_cid = 2;
inline constexpr std::uint64_t first_guest_cid = 3;
inline constexpr std::uint64_t last_guest_cid = 0xffff'fffe;

// The header of every packet, 5.10.6.
namespace header {
inline constexpr std::size_t src_cid = 0;    // le64
inline constexpr std::size_t dst_cid = 8;    // le64
inline constexpr std::size_t src_port = 16;  // le32
inline constexpr std::size_t dst_port = 20;  // le32
inline constexpr std::size_t len = 24;       // le32, of the data behind the header
inline constexpr std::size_t type = 28;      // le16
inline constexpr std::size_t op = 30;        // le16
inline constexpr std::size_t flags = 32;     // le32
inline constexpr std::size_t buf_alloc = 36; // le32
inline constexpr std::size_t fwd_cnt = 40;   // le32
inline constexpr std::size_t size_bytes = 44;
} // namespace header

inline constexpr std::uint16_t type_stream = 1;

inline constexpr std::uint16_t op_request = 1;
inline constexpr std::uint16_t op_response = 2;
inline constexpr std::uint16_t op_rst = 3;
inline constexpr std::uint16_t op_shutdown = 4;
inline constexpr std::uint16_t op_rw = 5;
inline constexpr std::uint16_t op_credit_update = 6;
inline constexpr std::uint16_t op_credit_request = 7;

// Flags of op_shutdown, 5.10.6.6.
inline constexpr std::uint32_t shutdown_receive = 1; ///< its sender receives no more
inline constexpr std::uint32_t shutdown_send = 2;    ///< its sender sends no more
inline constexpr std::uint32_t shutdown_both = 3;

// Events, 5.10.6.7: le32.
inline constexpr std::uint32_t event_transport_reset = 0;
inline constexpr std::size_t event_bytes = 4;

} // namespace coldstart::virtio_vsock
