// The network in front of the metadata service: ARP, and TCP port 80 at one IPv4 address.
// Source: RFC 826, RFC 9293; Firecracker's docs/mmds/mmds-design.md.
//
// Everything has a bound: the connections (with all in use, the one unheard of for longest gives
// way if that is some seconds), the resets and ARP answers that wait (more are not sent).
// Missing: ICMP (not answered), reassembly of fragments (dropped).
//
// Threads: one owner. Nothing throws; only making an answer allocates.
#pragma once

#include "virtio/backend/mmds/connection.h"
#include "virtio/backend/mmds/packets.h"
#include "virtio/backend/mmds/service.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace coldstart::mmds {

class Stack {
  public:
    static constexpr std::size_t max_connections = 30;
    static constexpr std::size_t max_waiting = 64; ///< resets, and as many ARP answers
    static constexpr std::uint64_t idle_ns = 10'000'000'000;
    static constexpr std::uint16_t port = 80;
    /// The service's, locally administered; the same as Firecracker's.
    static constexpr Mac own_mac{std::byte{0x06}, std::byte{0x01}, std::byte{0x23},
                                 std::byte{0x45}, std::byte{0x67}, std::byte{0x01}};

    Stack(std::uint32_t address, MmdsService& service);

    /// Whether a frame, of which these are the first frame_kind_bytes, is for the service.
    bool claims(ByteView frame_start) const noexcept {
        return frame_kind(frame_start, address_) != FrameKind::other;
    }
    /// A frame from the guest. `has_checksum` as parse_segment().
    void receive(ByteView frame, bool has_checksum, std::uint64_t now_ns) noexcept;

    /// The next frame for the guest, its size; 0 when there is none. `frame` has room for 1514.
    std::size_t next_frame(std::span<std::byte> frame, std::uint64_t now_ns) noexcept;
    /// When next_frame() has something to do: `now_ns` if at once, 0 if never.
    std::uint64_t deadline_ns(std::uint64_t now_ns) const noexcept;

  private:
    struct Reset {
        Peer to;
        std::uint16_t local_port = 0;
        Segment segment;
    };
    template <typename T>
    struct Waiting {
        std::array<T, max_waiting> items{};
        std::size_t first = 0, count = 0;

        void push(const T& item) noexcept {
            if (count < max_waiting)
                items[(first + count++) % max_waiting] = item;
        }
        T pop() noexcept {
            const std::size_t at = first;
            first = (first + 1) % max_waiting;
            --count;
            return items[at];
        }
    };

    void take_segment(const ParsedSegment& parsed, std::uint64_t now_ns) noexcept;
    void refuse(const ParsedSegment& parsed) noexcept;
    Connection* find(const Peer& peer) noexcept;
    Connection* find_free(std::uint64_t now_ns) noexcept;
    void call(const ParsedSegment& parsed, std::uint64_t now_ns) noexcept;
    void serve(Connection& connection, std::uint64_t now_ns) noexcept;
    std::size_t write_waiting(std::span<std::byte> frame) noexcept;
    std::size_t write_turn(std::span<std::byte> frame, std::uint64_t now_ns) noexcept;

    const std::uint32_t address_;
    MmdsService& service_;
    std::vector<Connection> connections_;
    std::size_t turn_ = 0; ///< whose frame is next
    Waiting<Peer> arp_answers_;
    Waiting<Reset> resets_;
};

} // namespace coldstart::mmds
