#include "virtio/backend/mmds/stack.h"

#include <algorithm>
#include <utility>

#include <sys/random.h>

namespace coldstart::mmds {
namespace {

bool is_group(const Mac& mac) noexcept {
    return (std::to_integer<unsigned>(mac[0]) & 1) != 0;
}

std::uint32_t first_sequence(std::uint64_t now_ns) noexcept {
    std::uint32_t random = 0;
    if (::getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
        random = static_cast<std::uint32_t>(now_ns / 4000); // RFC 9293, 3.4.1
    return random;
}

/// Empty lines before a request are passed over (RFC 9112, 2.2).
std::size_t blank_bytes(std::string_view input) noexcept {
    return std::min(input.find_first_not_of("\r\n"), input.size());
}

} // namespace

Stack::Stack(std::uint32_t address, MmdsService& service)
    : address_(address), service_(service), connections_(max_connections) {}

void Stack::receive(ByteView frame, bool has_checksum, std::uint64_t now_ns) noexcept {
    MetadataCounters& counters = service_.counters();
    const FrameKind kind = frame_kind(frame, address_);
    if (kind == FrameKind::other)
        return;
    ++counters.rx_accepted;
    if (kind == FrameKind::arp_request) {
        const auto asking = parse_arp_request(frame);
        if (asking && !is_group(asking->mac))
            arp_answers_.push(*asking);
        return;
    }
    const ParsedSegment parsed = parse_segment(frame, has_checksum);
    if (parsed.result == ParseResult::not_tcp) {
        ++counters.rx_accepted_unusual;
    } else if (parsed.result == ParseResult::damaged || is_group(parsed.from.mac) ||
               parsed.from.address == address_) {
        ++counters.rx_bad_eth;
    } else {
        ++counters.rx_count;
        take_segment(parsed, now_ns);
    }
}

void Stack::take_segment(const ParsedSegment& parsed, std::uint64_t now_ns) noexcept {
    if (parsed.segment.has(TcpFlags::rst))
        ++service_.counters().rx_accepted_unusual;
    Connection* const connection = parsed.local_port == port ? find(parsed.from) : nullptr;
    if (connection == nullptr) {
        call(parsed, now_ns);
        return;
    }
    connection->receive(parsed.segment, now_ns);
    serve(*connection, now_ns);
    if (!connection->in_use())
        ++service_.counters().connections_destroyed;
}

Connection* Stack::find(const Peer& peer) noexcept {
    for (Connection& connection : connections_) {
        if (connection.in_use() && connection.peer().same_port(peer))
            return &connection;
    }
    return nullptr;
}

/// One that is free or has been idle for long; the caller opens it.
Connection* Stack::find_free(std::uint64_t now_ns) noexcept {
    Connection* oldest = &connections_[0];
    for (Connection& connection : connections_) {
        if (!connection.in_use())
            return &connection;
        if (connection.last_heard_ns() < oldest->last_heard_ns())
            oldest = &connection;
    }
    if (now_ns - oldest->last_heard_ns() < idle_ns)
        return nullptr;
    ++service_.counters().connections_destroyed;
    return oldest;
}

/// A segment of no connection.
void Stack::call(const ParsedSegment& parsed, std::uint64_t now_ns) noexcept {
    constexpr std::uint8_t kinds = TcpFlags::syn | TcpFlags::ack | TcpFlags::rst | TcpFlags::fin;
    const bool is_call =
        parsed.local_port == port && (parsed.segment.flags & kinds) == TcpFlags::syn;
    Connection* const connection = is_call ? find_free(now_ns) : nullptr;
    if (connection == nullptr) {
        refuse(parsed);
        return;
    }
    connection->open(parsed.from, parsed.segment, first_sequence(now_ns), now_ns);
    ++service_.counters().connections_created;
}

/// RFC 9293, 3.10.7.1.
void Stack::refuse(const ParsedSegment& parsed) noexcept {
    const Segment& segment = parsed.segment;
    if (segment.has(TcpFlags::rst))
        return;
    ++service_.counters().rx_accepted_err;
    Segment reset;
    if (segment.has(TcpFlags::ack)) {
        reset.flags = TcpFlags::rst;
        reset.sequence = segment.acknowledged;
    } else {
        reset.flags = TcpFlags::rst | TcpFlags::ack;
        reset.acknowledged = segment.sequence + segment.length();
    }
    resets_.push({parsed.from, parsed.local_port, reset});
}

/// Answers the requests that are there, one at a time.
void Stack::serve(Connection& connection, std::uint64_t now_ns) noexcept {
    while (connection.can_send()) {
        connection.consume(blank_bytes(connection.input()));
        const std::size_t head = http_head_bytes(connection.input());
        if (head == 0 && !connection.input_full()) {
            if (connection.input_ended())
                connection.close();
            return;
        }
        try {
            MmdsService::Reply reply =
                head == 0 ? MmdsService::answer_too_long()
                          : service_.answer(connection.input().substr(0, head), now_ns);
            connection.consume(head);
            connection.send(std::move(reply.bytes), !reply.keep_alive);
        } catch (...) { // no memory for the answer
            ++service_.counters().tx_errors;
            connection.abort();
        }
    }
}

std::size_t Stack::next_frame(std::span<std::byte> frame, std::uint64_t now_ns) noexcept {
    std::size_t size = write_waiting(frame);
    if (size == 0)
        size = write_turn(frame, now_ns);
    if (size != 0) {
        ++service_.counters().tx_count;
        service_.counters().tx_bytes += size;
    }
    return size;
}

std::size_t Stack::write_waiting(std::span<std::byte> frame) noexcept {
    if (arp_answers_.count != 0)
        return write_arp_reply(frame, own_mac, address_, arp_answers_.pop());
    if (resets_.count == 0)
        return 0;
    const Reset reset = resets_.pop();
    return write_segment(frame, {own_mac, address_, reset.local_port}, reset.to, reset.segment);
}

/// A frame of one connection, and next time of another.
std::size_t Stack::write_turn(std::span<std::byte> frame, std::uint64_t now_ns) noexcept {
    for (std::size_t i = 0; i < connections_.size(); ++i) {
        Connection& connection = connections_[(turn_ + i) % connections_.size()];
        if (!connection.in_use())
            continue;
        connection.check_time(now_ns);
        Segment segment;
        const bool written = connection.write(segment, now_ns);
        if (!connection.in_use())
            ++service_.counters().connections_destroyed;
        if (written) {
            turn_ = (turn_ + i + 1) % connections_.size();
            return write_segment(frame, {own_mac, address_, port}, connection.peer(), segment);
        }
    }
    return 0;
}

std::uint64_t Stack::deadline_ns(std::uint64_t now_ns) const noexcept {
    if (arp_answers_.count != 0 || resets_.count != 0)
        return now_ns;
    std::uint64_t earliest = 0;
    for (const Connection& connection : connections_) {
        if (connection.has_segment())
            return now_ns;
        const std::uint64_t deadline = connection.in_use() ? connection.deadline_ns() : 0;
        if (deadline != 0 && (earliest == 0 || deadline < earliest))
            earliest = deadline;
    }
    return earliest;
}

} // namespace coldstart::mmds
