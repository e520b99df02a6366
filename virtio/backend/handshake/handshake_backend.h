// Finishes the three-way handshake of connections that a network brings to the guest.
// Source: RFC 9293, section 3.5.
//
// passt of 2023 (Debian 12's) sends the last segment, the ACK, only together with data of the
// client. Where the server speaks first both would wait for ever. So what a guest answers to a SYN
// passes, and the guest is given the ACK as well, with a small window, which passt's first segment
// widens. A network that sends its own makes it a duplicate, which does nothing.
//
// It is held back until the network has read the guest's answer: that passt loops for ever when it
// reads an answer and the first data at once.
//
// Missing: TCP over IPv6, VLAN tags. When more answers come at once than are kept, the guest
// repeats what it got no ACK for.
//
// Threads: as NetBackend; the clock's timer is fired on the I/O thread.
#pragma once

#include "virtio/backend/mmds/packets.h"
#include "virtio/backend/relay_backend.h"
#include "vmm/base/clock.h"

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>

namespace coldstart {

class HandshakeBackend final : public RelayBackend {
  public:
    static constexpr std::size_t max_waiting = 32;
    /// In units of the scale that the network's SYN named; most take 128 or 256 bytes.
    static constexpr std::uint16_t window = 256;

    static constexpr std::uint64_t retry_ns = 1'000'000;

    /// `clock` outlives it. `network_has_read`: whether all that was sent has been read there.
    HandshakeBackend(std::unique_ptr<NetBackend> network, Clock& clock,
                     std::function<bool()> network_has_read);

    void connect(NetClient& client) override;
    void disconnect() noexcept override;
    void want_frames(bool wanted) noexcept override;
    std::size_t receive(std::span<std::byte> frame) noexcept override;
    Sent send(std::span<iovec> frame) noexcept override;

  private:
    /// The ACK that belongs to a SYN-ACK of the guest.
    struct Acknowledgement {
        mmds::Sender from;
        mmds::Peer to;
        std::uint32_t sequence = 0;
        std::uint32_t acknowledged = 0;
    };

    static std::optional<Acknowledgement> answer_to(std::span<const iovec> frame) noexcept;
    void keep(const Acknowledgement& answer) noexcept;
    void wake_client(std::uint64_t delay_ns) noexcept;

    Clock& clock_;
    std::function<bool()> network_has_read_;
    std::array<Acknowledgement, max_waiting> waiting_{}; ///< a ring
    std::size_t first_ = 0, count_ = 0;
    std::atomic<bool> wanted_ = false;
    std::unique_ptr<Timer> timer_; ///< last: ends before what its callback uses
};

} // namespace coldstart
