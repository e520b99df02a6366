// Numbers of the virtio network device: virtio 1.2, section 5.1.
#pragma once

#include <cstddef>
#include <cstdint>

namespace coldstart::virtio_net {

// Features, 5.1.3.
inline constexpr std::uint64_t feature_csum = 1ull << 0;
inline constexpr std::uint64_t feature_guest_csum = 1ull << 1;
inline constexpr std::uint64_t feature_mtu = 1ull << 3;
inline constexpr std::uint64_t feature_mac = 1ull << 5;
inline constexpr std::uint64_t feature_guest_tso4 = 1ull << 7;
inline constexpr std::uint64_t feature_guest_tso6 = 1ull << 8;
inline constexpr std::uint64_t feature_guest_ecn = 1ull << 9;
inline constexpr std::uint64_t feature_host_tso4 = 1ull << 11;
inline constexpr std::uint64_t feature_host_tso6 = 1ull << 12;
inline constexpr std::uint64_t feature_host_ecn = 1ull << 13;
inline constexpr std::uint64_t feature_mrg_rxbuf = 1ull << 15;
inline constexpr std::uint64_t feature_status = 1ull << 16;
inline constexpr std::uint64_t feature_ctrl_vq = 1ull << 17;
inline constexpr std::uint64_t feature_ctrl_rx = 1ull << 18;
inline constexpr std::uint64_t feature_ctrl_rx_extra = 1ull << 20;
inline constexpr std::uint64_t feature_ctrl_mac_addr = 1ull << 23;

// The configuration structure, 5.1.4. All RO.
namespace config {
inline constexpr std::size_t mac = 0;    // 6 bytes
inline constexpr std::size_t status = 6; // le16
inline constexpr std::size_t pairs = 8;  // le16, max_virtqueue_pairs
inline constexpr std::size_t mtu = 10;   // le16
inline constexpr std::size_t size_bytes = 12;
} // namespace config
inline constexpr std::uint16_t status_link_up = 1;

// The header of every frame, 5.1.6.
namespace header {
inline constexpr std::size_t flags = 0;        // u8
inline constexpr std::size_t gso_type = 1;     // u8
inline constexpr std::size_t num_buffers = 10; // le16
inline constexpr std::size_t size_bytes = 12;
} // namespace header
inline constexpr std::uint8_t needs_csum = 1;
inline constexpr std::uint8_t gso_none = 0;
inline constexpr std::uint8_t gso_tcpv4 = 1;
inline constexpr std::uint8_t gso_tcpv6 = 4;
inline constexpr std::uint8_t gso_ecn = 0x80;

// Control commands, 5.1.6.5: class, command, data; then an answer of one byte.
inline constexpr std::uint8_t class_rx = 0;
inline constexpr std::uint8_t rx_promisc = 0;
inline constexpr std::uint8_t rx_allmulti = 1;
inline constexpr std::uint8_t rx_alluni = 2;
inline constexpr std::uint8_t rx_nomulti = 3;
inline constexpr std::uint8_t rx_nouni = 4;
inline constexpr std::uint8_t rx_nobcast = 5;
inline constexpr std::uint8_t class_mac = 1;
inline constexpr std::uint8_t mac_table_set = 0;
inline constexpr std::uint8_t mac_addr_set = 1;
inline constexpr std::uint8_t control_ok = 0;
inline constexpr std::uint8_t control_error = 1;

} // namespace coldstart::virtio_net
