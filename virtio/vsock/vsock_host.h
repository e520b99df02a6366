// The host's side of the virtio socket device: Unix sockets, as Firecracker's docs/vsock.md has it.
//
// A host program connects to the listener's path, writes "CONNECT <port>\n", and reads
// "OK <port of the host>\n" once the guest agreed; else its connection is closed. The guest's
// connections to CID 2, port P, go to the Unix socket at "<path>_P".
//
// Bounded: max_connections streams with VsockConnection::buffer_bytes each; max_clients host
// programs that have not said yet what they want, for greeting_ns (the oldest goes when one more
// comes); max_refusals answers to packets of no connection, and with so many waiting the guest's
// next packets wait too. Streams take turns packet by packet.
// Closed by the clock: a stream the guest does not agree to in answer_ns, one that is over but not
// acknowledged in close_ns, one whose host program takes none of the guest's last bytes in linger_ns.
//
// All sockets are in one epoll set, of which the reactor watches the descriptor: so a stream can be
// ended on any thread, under the device's lock, with no callback to wait for.
//
// Missing: SOCK_SEQPACKET, other CIDs than the host's, passing descriptors.
// Threads: start and stop from any, without the device's lock; everything else under it. The
// client is called on the I/O thread without it.
#pragma once

#include "virtio/core/counter.h"
#include "virtio/vsock/vsock_connection.h"
#include "virtio/vsock/vsock_listener.h"
#include "vmm/base/clock.h"
#include "vmm/base/log.h"
#include "vmm/base/reactor.h"

#include <array>
#include <list>
#include <memory>
#include <string_view>
#include <unordered_map>

namespace coldstart {

class VsockHostClient {
  public:
    virtual ~VsockHostClient() = default;
    /// A socket or the clock wants attention: take the lock and call VsockHost::work().
    virtual void vsock_host_stirs() noexcept = 0;
};

class VsockHost {
  public:
    static constexpr std::size_t max_connections = 1023;
    static constexpr std::size_t max_clients = 128;
    static constexpr std::size_t max_refusals = 256;
    static constexpr std::uint64_t greeting_ns = 60'000'000'000;
    static constexpr std::uint64_t answer_ns = 10'000'000'000;
    static constexpr std::uint64_t close_ns = 10'000'000'000;
    static constexpr std::uint64_t linger_ns = 60'000'000'000;

    /// Reactor and clock outlive it. Throws Error.
    VsockHost(std::shared_ptr<VsockListener> listener, Reactor& reactor, Clock& clock);

    void start(VsockHostClient& client);
    void stop() noexcept;

    /// Whether sockets are listened to and time passes; not at first.
    void run(bool running) noexcept;
    /// Does what sockets and clock ask for.
    void work() noexcept;
    /// Ends every connection at once, and tells the guest nothing.
    void close_all() noexcept;

    /// Whether guest_packet() may be called.
    bool takes_packets() const noexcept { return refusal_count_ < max_refusals; }
    /// A packet of the guest whose source is right, with `data` as long as it says.
    void guest_packet(const VsockPacket& packet, std::span<iovec> data) noexcept;

    /// Whether next_packet() may have something.
    bool has_packet() const noexcept { return refusal_count_ != 0 || !ready_.empty(); }
    /// The next packet for the guest, all but dst_cid; its data is read into `room`, which is not
    /// empty. False when there is none after all.
    bool next_packet(VsockPacket& packet, std::span<const iovec> room) noexcept;

    std::size_t connections() const noexcept {
        return ready_.size() + resting_.size() + lingering_.size();
    }
    std::size_t clients() const noexcept { return clients_.size(); }

    /// Connections that began, were reset from this side, and are gone. Any thread.
    struct Counts {
        Counter added, killed, removed;
    };
    const Counts& counts() const noexcept { return counts_; }

  private:
    using Stage = VsockConnection::Stage;
    struct Entry;
    using List = std::list<Entry>;
    struct Entry {
        Entry(UniqueFd socket, Stage stage) : stream(std::move(socket), stage) {}
        VsockConnection stream;
        List* list = nullptr; ///< where it stands, moved without allocating
        List::iterator self = {};
        std::uint64_t deadline_ns = 0; ///< 0: none
    };
    /// The answer to a packet of no connection.
    struct Refusal {
        std::uint64_t cid = 0;
        VsockPorts ports;
        std::uint16_t type = 0;
    };

    Entry& add(List& list, UniqueFd socket, Stage stage);
    void remove(Entry& entry) noexcept;
    void move_to(Entry& entry, List& list) noexcept;
    void settle(Entry& entry) noexcept;
    void set_deadline(Entry& entry, std::uint64_t from_now_ns) noexcept;
    void hurry(std::uint64_t deadline_ns) noexcept;
    void arm_timer() noexcept;
    void expire() noexcept;
    void expire_in(List& list, std::uint64_t now_ns) noexcept;

    void accept_clients() noexcept;
    void rest_listening() noexcept;
    void hear(Entry& entry, std::uint32_t events) noexcept;
    void greet(Entry& entry) noexcept;
    VsockPorts free_ports(std::uint32_t guest_port) noexcept;

    void open(const VsockPacket& packet) noexcept;
    void refuse(const VsockPacket& packet) noexcept;
    void deliver(Entry& entry, const VsockPacket& packet, std::span<iovec> data) noexcept;
    void break_off(Entry& entry, std::string_view reason) noexcept;
    void depart(Entry& entry) noexcept;
    bool next_refusal(VsockPacket& packet) noexcept;
    bool next_of_streams(VsockPacket& packet, std::span<const iovec> room) noexcept;

    std::shared_ptr<VsockListener> listener_;
    Reactor& reactor_;
    Clock& clock_;
    UniqueFd epoll_;
    VsockHostClient* client_ = nullptr;
    bool running_ = false;

    List clients_;   ///< greeting, the oldest first
    List ready_;     ///< with something for the guest, in turn
    List resting_;   ///< with nothing for it
    List lingering_; ///< no longer in table_
    std::unordered_map<std::uint64_t, Entry*> table_;

    std::array<Refusal, max_refusals> refusals_{};
    std::size_t refusal_begin_ = 0, refusal_count_ = 0;
    bool streams_turn_ = false;
    std::uint32_t last_host_port_;
    std::uint64_t next_deadline_ns_ = 0; ///< the timer's; 0: none
    std::uint64_t listen_again_ns_ = 0;  ///< when nothing could be accepted; 0: listening
    LogLimiter complaints_;
    Counts counts_;

    std::unique_ptr<Timer> timer_;
    std::unique_ptr<Watch> watch_;
};

} // namespace coldstart
