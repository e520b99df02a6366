// Frames of Ethernet with ARP, or with TCP over IPv4, taken apart and put together.
// Source: RFC 826, RFC 791, RFC 9293. Numbers in frames are big-endian.
//
// Missing: VLAN tags, IPv6, IP options are skipped, fragments are no segments.
//
// Threads: plain functions and values.
#pragma once

#include "vmm/base/bytes.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace coldstart::mmds {

using Mac = std::array<std::byte, 6>;

inline constexpr std::size_t ethernet_bytes = 14;
inline constexpr std::size_t arp_bytes = 28;
inline constexpr std::size_t ipv4_bytes = 20; ///< without options
inline constexpr std::size_t tcp_bytes = 20;  ///< without options
inline constexpr std::size_t mss_option_bytes = 4;

template <std::integral T>
T load_be(ByteView bytes, std::size_t offset) noexcept {
    T value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i)
        value = static_cast<T>((value << 8) | std::to_integer<T>(bytes[offset + i]));
    return value;
}

template <std::integral T>
void store_be(std::span<std::byte> bytes, std::size_t offset, T value) noexcept {
    for (std::size_t i = sizeof(T); i-- > 0; value = static_cast<T>(value >> 8))
        bytes[offset + i] = static_cast<std::byte>(value & 0xff);
}

enum class FrameKind { other, arp_request, ipv4 };
/// How many bytes of a frame frame_kind() looks at.
inline constexpr std::size_t frame_kind_bytes = ethernet_bytes + arp_bytes;
/// Whether a frame asks for the hardware address of `address`, or is an IPv4 packet for it.
FrameKind frame_kind(ByteView frame, std::uint32_t address) noexcept;

struct TcpFlags {
    static constexpr std::uint8_t fin = 1, syn = 2, rst = 4, psh = 8, ack = 16;
};

/// Who a segment is from or for.
struct Peer {
    Mac mac{};
    std::uint32_t address = 0;
    std::uint16_t port = 0;

    bool same_port(const Peer& other) const noexcept {
        return address == other.address && port == other.port;
    }
};

/// A TCP segment; the payload lies elsewhere.
struct Segment {
    std::uint32_t sequence = 0;
    std::uint32_t acknowledged = 0;
    std::uint16_t window = 0;
    std::uint8_t flags = 0;
    std::uint16_t max_segment_bytes = 0; ///< of its MSS option; 0: none
    ByteView payload;

    bool has(std::uint8_t flag) const noexcept { return (flags & flag) != 0; }
    /// The sequence numbers it takes.
    std::uint32_t length() const noexcept {
        return static_cast<std::uint32_t>(payload.size()) + (has(TcpFlags::syn) ? 1 : 0) +
               (has(TcpFlags::fin) ? 1 : 0);
    }
};

enum class ParseResult {
    segment,
    damaged, ///< cut short, or a checksum is wrong
    not_tcp, ///< or a fragment
};

struct ParsedSegment {
    ParseResult result = ParseResult::damaged;
    Peer from;
    std::uint16_t local_port = 0;
    Segment segment;
};

/// `frame` is of the kind ipv4. `has_checksum`: false where the guest left TCP's to the card.
ParsedSegment parse_segment(ByteView frame, bool has_checksum) noexcept;

/// Who asks in a frame of the kind arp_request; nothing when the frame is not well-formed.
std::optional<Peer> parse_arp_request(ByteView frame) noexcept;

/// The answer; its size.
std::size_t write_arp_reply(std::span<std::byte> frame, const Mac& own_mac,
                            std::uint32_t own_address, const Peer& to) noexcept;

struct Sender {
    Mac mac{};
    std::uint32_t address = 0;
    std::uint16_t port = 0;
    std::uint8_t hops = 1; ///< the packet's time to live; 1: it is never routed
};
/// A frame with the segment, all checksums in it; its size. There is room for everything.
std::size_t write_segment(std::span<std::byte> frame, const Sender& from, const Peer& to,
                          const Segment& segment) noexcept;

} // namespace coldstart::mmds
