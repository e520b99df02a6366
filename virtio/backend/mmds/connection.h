// One TCP connection of the metadata service, seen from the side that was called.
// Source: RFC 9293; RFC 5961, section 3.2 and 4.2, for resets and SYNs that are not expected.
//
// Made for a link that neither loses nor reorders in ordinary life: what comes out of order is
// dropped and asked for again, what is not acknowledged is sent again from there after a timeout
// that doubles. Input beyond a fixed buffer is not accepted, the window says so.
// Missing: congestion control, window scaling, SACK, timestamps, delayed acknowledgements, urgent
// data (it is taken as data), TIME_WAIT: a late segment is answered with a reset.
//
// Threads: one owner. Nothing throws, and only the caller of send() allocates.
#pragma once

#include "virtio/backend/mmds/packets.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace coldstart::mmds {

class Connection {
  public:
    static constexpr std::size_t input_bytes = 4096; ///< the longest head of a request
    static constexpr std::uint16_t own_max_segment = 1460;
    static constexpr std::uint64_t first_timeout_ns = 500'000'000;
    static constexpr std::uint64_t longest_timeout_ns = 8'000'000'000;
    static constexpr unsigned max_retries = 15;
    /// How long the other side may take to close when we have.
    static constexpr std::uint64_t linger_ns = 30'000'000'000;

    bool in_use() const noexcept { return state_ != State::free; }
    const Peer& peer() const noexcept { return peer_; }
    std::uint64_t last_heard_ns() const noexcept { return last_heard_ns_; }

    void open(const Peer& peer, const Segment& syn, std::uint32_t first_sequence,
              std::uint64_t now_ns) noexcept;
    void receive(const Segment& segment, std::uint64_t now_ns) noexcept;
    /// Ends with a reset, as soon as it can be written.
    void abort() noexcept { aborted_ = true; }

    /// What came and is not consumed yet.
    std::string_view input() const noexcept { return {input_.data(), input_used_}; }
    bool input_full() const noexcept { return input_used_ == input_bytes; }
    bool input_ended() const noexcept { return fin_received_; }
    void consume(std::size_t bytes) noexcept;

    /// Neither sending, nor closing, nor broken: send() may be called.
    bool can_send() const noexcept {
        return state_ == State::open && output_.empty() && !fin_wanted_ && !aborted_;
    }
    /// `last`: then the connection is closed, and what still comes is thrown away.
    void send(std::string&& bytes, bool last) noexcept;
    void close() noexcept;

    /// Does what was due by `now_ns`. Call before write().
    void check_time(std::uint64_t now_ns) noexcept;
    bool has_segment() const noexcept;
    /// The next segment; false when there is none. Its payload is good until the next call.
    bool write(Segment& segment, std::uint64_t now_ns) noexcept;
    /// When check_time() has something to do; 0: never.
    std::uint64_t deadline_ns() const noexcept { return deadline_ns_; }

  private:
    enum class State : std::uint8_t { free, syn_received, open };
    struct Plan {
        std::size_t offset = 0, bytes = 0; ///< in output_
        bool fin = false;
        bool blocked = false; ///< by the other side's window alone
    };

    Plan plan() const noexcept;
    std::uint32_t output_end() const noexcept {
        return output_sequence_ + static_cast<std::uint32_t>(output_.size());
    }
    bool fin_acknowledged() const noexcept {
        return fin_wanted_ && output_.empty() && unacknowledged_ == output_sequence_ + 1;
    }
    std::uint16_t window() const noexcept {
        return static_cast<std::uint16_t>(input_bytes - input_used_);
    }
    void free() noexcept;
    void take_reset(const Segment& segment) noexcept;
    bool take_acknowledgement(const Segment& segment, std::uint64_t now_ns) noexcept;
    void acknowledged_up_to(std::uint32_t sequence, std::uint64_t now_ns) noexcept;
    void take_data(const Segment& segment) noexcept;
    void write_data(Segment& segment, const Plan& next, std::uint64_t now_ns) noexcept;
    void arm(std::uint64_t now_ns) noexcept { deadline_ns_ = now_ns + timeout_ns_; }

    State state_ = State::free;
    Peer peer_;
    std::uint64_t last_heard_ns_ = 0;
    std::uint64_t deadline_ns_ = 0;
    std::uint64_t timeout_ns_ = first_timeout_ns;
    unsigned retries_ = 0;

    // Sending: unacknowledged_ <= next_ <= highest_, as sequence numbers go.
    std::uint32_t first_ = 0, unacknowledged_ = 0, next_ = 0, highest_ = 0;
    std::uint32_t send_window_ = 0, window_sequence_ = 0, window_acknowledged_ = 0;
    std::size_t max_segment_ = 0;
    std::string output_;
    std::uint32_t output_sequence_ = 0; ///< of output_[0]
    bool fin_wanted_ = false;
    bool probe_ = false; ///< send a byte even though the window is closed

    // Receiving.
    std::uint32_t peer_first_ = 0, expected_ = 0;
    std::array<char, input_bytes> input_{};
    std::size_t input_used_ = 0;
    bool fin_received_ = false;
    bool discard_ = false;
    bool ack_wanted_ = false;
    bool aborted_ = false;
};

} // namespace coldstart::mmds
