#include "virtio/backend/mmds/connection.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace coldstart::mmds {
namespace {

constexpr std::uint16_t default_max_segment = 536; // RFC 9293, 3.7.1
constexpr std::uint16_t least_max_segment = 28;    // a link with IPv4's smallest MTU, 68

/// How far `a` is behind `b`; negative when it is before.
std::int32_t distance(std::uint32_t a, std::uint32_t b) noexcept {
    return static_cast<std::int32_t>(a - b);
}

} // namespace

void Connection::free() noexcept {
    state_ = State::free;
    output_ = std::string();
    deadline_ns_ = 0;
    aborted_ = false;
}

void Connection::open(const Peer& peer, const Segment& syn, std::uint32_t first_sequence,
                      std::uint64_t now_ns) noexcept {
    free();
    state_ = State::syn_received;
    peer_ = peer;
    last_heard_ns_ = now_ns;
    timeout_ns_ = first_timeout_ns;
    retries_ = 0;
    first_ = unacknowledged_ = next_ = highest_ = first_sequence;
    output_sequence_ = first_sequence + 1;
    send_window_ = syn.window;
    max_segment_ =
        std::clamp(syn.max_segment_bytes != 0 ? syn.max_segment_bytes : default_max_segment,
                   least_max_segment, own_max_segment);
    fin_wanted_ = probe_ = fin_received_ = discard_ = ack_wanted_ = false;
    peer_first_ = syn.sequence;
    expected_ = syn.sequence + 1; // data that comes with a SYN comes again
    input_used_ = 0;
}

void Connection::receive(const Segment& segment, std::uint64_t now_ns) noexcept {
    if (state_ == State::free || aborted_)
        return;
    last_heard_ns_ = now_ns;
    if (segment.has(TcpFlags::rst)) {
        take_reset(segment);
        return;
    }
    if (segment.has(TcpFlags::syn)) {
        if (state_ == State::syn_received && segment.sequence == peer_first_)
            next_ = first_; // our answer was lost
        else
            ack_wanted_ = true; // whoever began anew resets us then
        return;
    }
    if (!segment.has(TcpFlags::ack) || !take_acknowledgement(segment, now_ns))
        return;
    take_data(segment);
    if (fin_received_ && fin_acknowledged() && !ack_wanted_)
        free();
}

void Connection::take_reset(const Segment& segment) noexcept {
    const std::int32_t ahead = distance(segment.sequence, expected_);
    if (ahead == 0)
        free();
    else if (ahead > 0 && ahead < window())
        ack_wanted_ = true;
}

/// False when the rest of the segment is not to be looked at.
bool Connection::take_acknowledgement(const Segment& segment, std::uint64_t now_ns) noexcept {
    const std::uint32_t acknowledged = segment.acknowledged;
    if (state_ == State::syn_received) {
        if (acknowledged != first_ + 1 || highest_ == first_) {
            highest_ = acknowledged; // the reset's sequence number
            abort();
            return false;
        }
        state_ = State::open;
        window_sequence_ = segment.sequence;
        window_acknowledged_ = acknowledged;
        send_window_ = segment.window;
    }
    if (distance(acknowledged, highest_) > 0) {
        ack_wanted_ = true;
        return false;
    }
    if (distance(acknowledged, unacknowledged_) > 0)
        acknowledged_up_to(acknowledged, now_ns);
    const std::int32_t newer = distance(segment.sequence, window_sequence_);
    if (newer > 0 || (newer == 0 && distance(acknowledged, window_acknowledged_) >= 0)) {
        // A window that opens ends the wait for it; what was sent into the closed one is lost.
        if (send_window_ == 0 && segment.window != 0 && !fin_acknowledged()) {
            next_ = unacknowledged_;
            deadline_ns_ = 0;
        }
        send_window_ = segment.window;
        window_sequence_ = segment.sequence;
        window_acknowledged_ = acknowledged;
    }
    return true;
}

void Connection::acknowledged_up_to(std::uint32_t sequence, std::uint64_t now_ns) noexcept {
    unacknowledged_ = sequence;
    if (distance(next_, sequence) < 0)
        next_ = sequence;
    retries_ = 0;
    timeout_ns_ = first_timeout_ns;
    deadline_ns_ = 0;
    if (next_ != unacknowledged_)
        arm(now_ns);
    if (!output_.empty() && distance(sequence, output_end()) >= 0) {
        output_sequence_ = output_end();
        output_ = std::string();
    }
    if (fin_acknowledged())
        deadline_ns_ = now_ns + linger_ns;
}

void Connection::take_data(const Segment& segment) noexcept {
    const std::int32_t known = distance(expected_, segment.sequence);
    const auto length = static_cast<std::int64_t>(segment.length());
    if (known < 0 || (known > 0 && known >= length)) {
        // A gap before it, nothing new, or a keep-alive probe.
        ack_wanted_ = true;
        return;
    }
    if (length == 0 || fin_received_)
        return;
    const ByteView fresh = segment.payload.subspan(
        std::min<std::size_t>(static_cast<std::size_t>(known), segment.payload.size()));
    std::size_t taken = fresh.size();
    if (!discard_) {
        taken = std::min(taken, input_bytes - input_used_);
        if (taken != 0)
            std::memcpy(input_.data() + input_used_, fresh.data(), taken);
        input_used_ += taken;
    }
    expected_ += static_cast<std::uint32_t>(taken);
    ack_wanted_ = true;
    if (taken == fresh.size() && segment.has(TcpFlags::fin)) {
        ++expected_;
        fin_received_ = true;
    }
}

void Connection::consume(std::size_t bytes) noexcept {
    bytes = std::min(bytes, input_used_);
    input_used_ -= bytes;
    std::memmove(input_.data(), input_.data() + bytes, input_used_);
}

void Connection::send(std::string&& bytes, bool last) noexcept {
    if (!can_send())
        return;
    output_ = std::move(bytes);
    if (last)
        close();
}

void Connection::close() noexcept {
    fin_wanted_ = true;
    discard_ = true;
    input_used_ = 0;
}

void Connection::check_time(std::uint64_t now_ns) noexcept {
    if (state_ == State::free || deadline_ns_ == 0 || now_ns < deadline_ns_)
        return;
    deadline_ns_ = 0;
    if (fin_acknowledged()) {
        free(); // the other side does not close; it gets a reset if it ever speaks again
    } else if (++retries_ > max_retries) {
        abort();
    } else {
        timeout_ns_ = std::min(timeout_ns_ * 2, longest_timeout_ns);
        next_ = unacknowledged_;
        probe_ = true;
    }
}

Connection::Plan Connection::plan() const noexcept {
    Plan next;
    // An acknowledged FIN is behind the output's end.
    next.offset = std::min<std::size_t>(next_ - output_sequence_, output_.size());
    const bool fin_left = fin_wanted_ && distance(next_, output_end()) <= 0;
    const std::size_t left = output_.size() - next.offset;
    const std::uint32_t in_flight = next_ - unacknowledged_;
    const std::uint32_t window = std::max<std::uint32_t>(send_window_, probe_ ? 1 : 0);
    const std::size_t room = window > in_flight ? window - in_flight : 0;
    next.bytes = std::min({left, room, max_segment_});
    next.fin = fin_left && next.bytes == left && room > next.bytes;
    next.blocked = (left != 0 || fin_left) && room == 0 && in_flight == 0;
    return next;
}

bool Connection::has_segment() const noexcept {
    if (state_ == State::free)
        return false;
    if (aborted_ || ack_wanted_)
        return true;
    if (state_ == State::syn_received)
        return next_ == first_;
    const Plan next = plan();
    // To a blocked one write() only sets the timer, once.
    return next.bytes != 0 || next.fin || (next.blocked && deadline_ns_ == 0);
}

bool Connection::write(Segment& segment, std::uint64_t now_ns) noexcept {
    if (state_ == State::free)
        return false;
    segment = {.sequence = highest_,
               .acknowledged = expected_,
               .window = window(),
               .flags = TcpFlags::ack,
               .max_segment_bytes = 0,
               .payload = {}};
    if (aborted_) {
        segment.flags = TcpFlags::rst | TcpFlags::ack;
        free();
        return true;
    }
    if (state_ == State::syn_received) {
        ack_wanted_ = false;
        if (next_ != first_)
            return false;
        segment.sequence = first_;
        segment.flags = TcpFlags::syn | TcpFlags::ack;
        segment.max_segment_bytes = own_max_segment;
        next_ = highest_ = first_ + 1;
        probe_ = false;
        arm(now_ns);
        return true;
    }
    const Plan next = plan();
    if (next.bytes != 0 || next.fin) {
        write_data(segment, next, now_ns);
        return true;
    }
    if (next.blocked && deadline_ns_ == 0)
        arm(now_ns);
    if (!ack_wanted_)
        return false;
    ack_wanted_ = false;
    if (fin_received_ && fin_acknowledged())
        free();
    return true;
}

void Connection::write_data(Segment& segment, const Plan& next, std::uint64_t now_ns) noexcept {
    segment.sequence = next_;
    segment.payload = std::as_bytes(std::span(output_)).subspan(next.offset, next.bytes);
    if (next.offset + next.bytes == output_.size() && next.bytes != 0)
        segment.flags |= TcpFlags::psh;
    if (next.fin)
        segment.flags |= TcpFlags::fin;
    next_ += segment.length();
    if (distance(next_, highest_) > 0)
        highest_ = next_;
    probe_ = false;
    ack_wanted_ = false;
    if (deadline_ns_ == 0)
        arm(now_ns);
}

} // namespace coldstart::mmds
