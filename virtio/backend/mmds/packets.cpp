#include "virtio/backend/mmds/packets.h"

#include <algorithm>
#include <cstring>

namespace coldstart::mmds {
namespace {

// Ethernet.
constexpr std::size_t eth_source = 6, eth_type = 12;
constexpr std::uint16_t type_ipv4 = 0x0800, type_arp = 0x0806;

// ARP, behind the Ethernet header: hardware 1, protocol IPv4, lengths 6 and 4.
constexpr std::uint64_t arp_kind = 0x0001'0800'0604'0000;
constexpr std::uint16_t arp_asks = 1, arp_answers = 2;
constexpr std::size_t arp_operation = 6, arp_sender_mac = 8, arp_sender = 14, arp_target_mac = 18,
                      arp_target = 24;

// IPv4.
constexpr std::size_t ip_total = 2, ip_fragment = 6, ip_ttl = 8, ip_protocol = 9, ip_checksum = 10,
                      ip_source = 12, ip_destination = 16;
constexpr std::uint16_t dont_fragment = 0x4000, fragment_bits = 0x3fff;
constexpr std::uint8_t protocol_tcp = 6;

// TCP.
constexpr std::size_t tcp_source = 0, tcp_destination = 2, tcp_sequence = 4, tcp_ack = 8,
                      tcp_offset = 12, tcp_flags = 13, tcp_window = 14, tcp_checksum = 16;
constexpr std::uint8_t option_end = 0, option_nothing = 1, option_mss = 2;

std::uint32_t sum(ByteView bytes, std::uint32_t start = 0) noexcept {
    std::uint64_t total = start;
    std::size_t i = 0;
    for (; i + 1 < bytes.size(); i += 2)
        total += load_be<std::uint16_t>(bytes, i);
    if (i < bytes.size())
        total += std::to_integer<std::uint32_t>(bytes[i]) << 8;
    while (total >> 16 != 0)
        total = (total & 0xffff) + (total >> 16);
    return static_cast<std::uint32_t>(total);
}

std::uint32_t pseudo_header_sum(ByteView ip, std::size_t tcp_length) noexcept {
    return sum(ip.subspan(ip_source, 8), protocol_tcp + static_cast<std::uint32_t>(tcp_length));
}

std::uint16_t find_mss(ByteView options) noexcept {
    std::size_t at = 0;
    while (at < options.size()) {
        const auto kind = std::to_integer<std::uint8_t>(options[at]);
        if (kind == option_end)
            break;
        if (kind == option_nothing) {
            ++at;
            continue;
        }
        if (at + 1 >= options.size())
            break;
        const auto length = std::to_integer<std::uint8_t>(options[at + 1]);
        if (length < 2 || length > options.size() - at)
            break;
        if (kind == option_mss && length == mss_option_bytes)
            return load_be<std::uint16_t>(options, at + 2);
        at += length;
    }
    return 0;
}

Mac source_mac(ByteView frame) noexcept {
    Mac mac;
    std::memcpy(mac.data(), frame.data() + eth_source, mac.size());
    return mac;
}

void write_ethernet(std::span<std::byte> frame, const Mac& to, const Mac& from,
                    std::uint16_t type) noexcept {
    std::memcpy(frame.data(), to.data(), to.size());
    std::memcpy(frame.data() + eth_source, from.data(), from.size());
    store_be(frame, eth_type, type);
}

} // namespace

FrameKind frame_kind(ByteView frame, std::uint32_t address) noexcept {
    if (frame.size() < ethernet_bytes + ipv4_bytes)
        return FrameKind::other;
    const auto type = load_be<std::uint16_t>(frame, eth_type);
    const ByteView body = frame.subspan(ethernet_bytes);
    if (type == type_ipv4)
        return std::to_integer<unsigned>(body[0]) >> 4 == 4 &&
                       load_be<std::uint32_t>(body, ip_destination) == address
                   ? FrameKind::ipv4
                   : FrameKind::other;
    const bool asks = type == type_arp && body.size() >= arp_bytes &&
                      load_be<std::uint64_t>(body, 0) == (arp_kind | arp_asks) &&
                      load_be<std::uint32_t>(body, arp_target) == address;
    return asks ? FrameKind::arp_request : FrameKind::other;
}

std::optional<Peer> parse_arp_request(ByteView frame) noexcept {
    if (frame.size() < ethernet_bytes + arp_bytes)
        return std::nullopt;
    const ByteView arp = frame.subspan(ethernet_bytes);
    Peer peer;
    std::memcpy(peer.mac.data(), arp.data() + arp_sender_mac, peer.mac.size());
    peer.address = load_be<std::uint32_t>(arp, arp_sender);
    return peer;
}

ParsedSegment parse_segment(ByteView frame, bool has_checksum) noexcept {
    ParsedSegment parsed;
    if (frame.size() < ethernet_bytes + ipv4_bytes)
        return parsed;
    const ByteView ip = frame.subspan(ethernet_bytes);
    const std::size_t ip_header = (std::to_integer<std::size_t>(ip[0]) & 15) * 4;
    const std::size_t total = load_be<std::uint16_t>(ip, ip_total);
    // Behind the packet may stand what fills a short frame.
    if (ip_header < ipv4_bytes || ip_header > total || total > ip.size() ||
        sum(ip.first(ip_header)) != 0xffff)
        return parsed;
    if (std::to_integer<std::uint8_t>(ip[ip_protocol]) != protocol_tcp ||
        (load_be<std::uint16_t>(ip, ip_fragment) & fragment_bits) != 0) {
        parsed.result = ParseResult::not_tcp;
        return parsed;
    }
    const ByteView tcp = ip.subspan(ip_header, total - ip_header);
    if (tcp.size() < tcp_bytes)
        return parsed;
    const std::size_t tcp_header = (std::to_integer<std::size_t>(tcp[tcp_offset]) >> 4) * 4;
    if (tcp_header < tcp_bytes || tcp_header > tcp.size() ||
        (has_checksum && sum(tcp, pseudo_header_sum(ip, tcp.size())) != 0xffff))
        return parsed;
    parsed.result = ParseResult::segment;
    parsed.from = {source_mac(frame), load_be<std::uint32_t>(ip, ip_source),
                   load_be<std::uint16_t>(tcp, tcp_source)};
    parsed.local_port = load_be<std::uint16_t>(tcp, tcp_destination);
    parsed.segment = {.sequence = load_be<std::uint32_t>(tcp, tcp_sequence),
                      .acknowledged = load_be<std::uint32_t>(tcp, tcp_ack),
                      .window = load_be<std::uint16_t>(tcp, tcp_window),
                      .flags = std::to_integer<std::uint8_t>(tcp[tcp_flags]),
                      .max_segment_bytes = find_mss(tcp.subspan(tcp_bytes, tcp_header - tcp_bytes)),
                      .payload = tcp.subspan(tcp_header)};
    return parsed;
}

std::size_t write_arp_reply(std::span<std::byte> frame, const Mac& own_mac,
                            std::uint32_t own_address, const Peer& to) noexcept {
    write_ethernet(frame, to.mac, own_mac, type_arp);
    const std::span<std::byte> arp = frame.subspan(ethernet_bytes);
    store_be(arp, 0, arp_kind);
    store_be(arp, arp_operation, arp_answers);
    std::memcpy(arp.data() + arp_sender_mac, own_mac.data(), own_mac.size());
    store_be(arp, arp_sender, own_address);
    std::memcpy(arp.data() + arp_target_mac, to.mac.data(), to.mac.size());
    store_be(arp, arp_target, to.address);
    return ethernet_bytes + arp_bytes;
}

std::size_t write_segment(std::span<std::byte> frame, const Sender& from, const Peer& to,
                          const Segment& segment) noexcept {
    const std::size_t options = segment.max_segment_bytes != 0 ? mss_option_bytes : 0;
    const std::size_t tcp_length = tcp_bytes + options + segment.payload.size();
    write_ethernet(frame, to.mac, from.mac, type_ipv4);

    const std::span<std::byte> ip = frame.subspan(ethernet_bytes, ipv4_bytes + tcp_length);
    std::memset(ip.data(), 0, ip.size() - segment.payload.size());
    ip[0] = std::byte{0x45};
    store_be(ip, ip_total, static_cast<std::uint16_t>(ip.size()));
    store_be(ip, ip_fragment, dont_fragment);
    ip[ip_ttl] = std::byte{from.hops};
    ip[ip_protocol] = std::byte{protocol_tcp};
    store_be(ip, ip_source, from.address);
    store_be(ip, ip_destination, to.address);
    store_be(ip, ip_checksum, static_cast<std::uint16_t>(~sum(ip.first(ipv4_bytes)) & 0xffff));

    const std::span<std::byte> tcp = ip.subspan(ipv4_bytes);
    store_be(tcp, tcp_source, from.port);
    store_be(tcp, tcp_destination, to.port);
    store_be(tcp, tcp_sequence, segment.sequence);
    store_be(tcp, tcp_ack, segment.acknowledged);
    tcp[tcp_offset] = static_cast<std::byte>((tcp_bytes + options) / 4 << 4);
    tcp[tcp_flags] = std::byte{segment.flags};
    store_be(tcp, tcp_window, segment.window);
    if (options != 0) {
        tcp[tcp_bytes] = std::byte{option_mss};
        tcp[tcp_bytes + 1] = std::byte{mss_option_bytes};
        store_be(tcp, tcp_bytes + 2, segment.max_segment_bytes);
    }
    if (!segment.payload.empty())
        std::memcpy(tcp.data() + tcp_bytes + options, segment.payload.data(),
                    segment.payload.size());
    store_be(tcp, tcp_checksum,
             static_cast<std::uint16_t>(~sum(tcp, pseudo_header_sum(ip, tcp.size())) & 0xffff));
    return ethernet_bytes + ip.size();
}

} // namespace coldstart::mmds
