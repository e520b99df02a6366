// One stream between a port of the guest and a Unix socket: its stage, its credit both ways, and
// what waits for either side.
// Source: virtio 1.2, sections 5.10.6.3 to 5.10.6.6; Firecracker's docs/vsock.md for what a host
// program says first.
//
// The guest's bytes go to the socket at once; what it does not take waits in a buffer of
// buffer_bytes, which is the credit the guest has. The host's bytes stay in the socket until the
// guest has a buffer and credit. The socket is watched edge-triggered: readable_ and writable_ hold
// from the event that says so to the EAGAIN that ends it.
//
// Threads: under the device's lock. Nothing but the constructor allocates or throws.
#pragma once

#include "virtio/vsock/send_buffer.h"
#include "virtio/vsock/vsock_packet.h"
#include "vmm/base/unique_fd.h"

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace coldstart {

struct VsockPorts {
    std::uint32_t host = 0;
    std::uint32_t guest = 0;

    std::uint64_t key() const noexcept { return std::uint64_t{host} << 32 | guest; }
};

class VsockConnection {
  public:
    static constexpr std::uint32_t buffer_bytes = 128 * 1024;
    static constexpr std::size_t max_packet_bytes = 64 * 1024;
    static constexpr std::size_t max_command_bytes = 32;

    enum class Stage {
        greeting,    ///< a host program connected and is to say which port it wants
        requested,   ///< the guest is asked
        established, ///< bytes flow
        leaving,     ///< the guest closed it and is to be told that this is known
        broken,      ///< ended from this side; the guest is to be told
        lingering,   ///< the guest is through with it, the host has still bytes to take
    };
    enum class Command { incomplete, malformed, complete };

    VsockConnection(UniqueFd socket, Stage stage);

    int fd() const noexcept { return socket_.get(); }
    Stage stage() const noexcept { return stage_; }
    const VsockPorts& ports() const noexcept { return ports_; }

    // The host's side.

    /// What epoll says of the socket.
    void note_events(std::uint32_t events) noexcept;
    /// Reads "CONNECT <port>\n" and nothing behind it, as far as it is there.
    Command read_command(std::uint32_t& guest_port) noexcept;
    /// Gives the socket what waits for it, as far as it takes it; true when it took some.
    bool flush() noexcept;
    bool flushed() const noexcept { return buffer_.empty(); }

    // The life of it.

    /// From the host: asks the guest.
    void request(VsockPorts ports) noexcept;
    /// From the guest: its answer is due.
    void accept(VsockPorts ports) noexcept;
    /// The guest agreed. False when nothing was asked.
    bool establish() noexcept;
    /// The guest closes one direction or both.
    void guest_shuts(std::uint32_t flags) noexcept;
    /// Ends it at once: the socket is closed and the guest told.
    void break_off() noexcept;
    /// The guest knows of it no more; what waits for the host is still delivered.
    void linger() noexcept { stage_ = Stage::lingering; }

    // The guest's side.

    void hear_credit(const VsockPacket& packet) noexcept;
    /// Takes data of the guest; false when it had no right to send it.
    bool take(std::span<iovec> data, std::size_t size) noexcept;
    void ask_credit_update() noexcept { pending_ |= credit_update; }
    /// Whether next_packet() may have something.
    bool wants_guest() noexcept;
    /// The next packet for the guest, all but its cids; its data is read into `room`, which is not
    /// empty. False when there is none after all.
    bool next_packet(VsockPacket& packet, std::span<const iovec> room) noexcept;
    /// The guest was told that nothing goes either way any more, and is to answer.
    bool awaits_end() const noexcept {
        return stage_ == Stage::established && told_shutdown_ == virtio_vsock::shutdown_both;
    }

  private:
    enum Pending : unsigned {
        reset = 1,
        request_packet = 2,
        response = 4,
        shutdown = 8,
        credit_update = 16,
        credit_request = 32,
    };

    bool take_pending(Pending what) noexcept;
    std::uint32_t credit() const noexcept;
    bool has_data() const noexcept;
    bool read(VsockPacket& packet, std::span<const iovec> room) noexcept;
    std::size_t send(std::span<iovec> pieces) noexcept;
    void host_finished() noexcept;
    void host_is_deaf() noexcept;
    void plan_shutdown() noexcept;
    void plan_credit_update() noexcept;
    void finish_writing() noexcept;
    std::uint32_t shutdown_flags() const noexcept;

    UniqueFd socket_;
    Stage stage_;
    VsockPorts ports_;
    unsigned pending_ = 0; ///< packets for the guest

    bool readable_ = false;
    bool writable_ = true;
    bool host_done_ = false; ///< sends no more, and all it sent was read
    bool host_deaf_ = false; ///< takes no more
    bool host_gone_ = false; ///< neither
    std::uint32_t guest_shutdown_ = 0;
    std::uint32_t told_shutdown_ = 0;

    // Counters wrap, as the specification wants it.
    std::uint32_t received_ = 0;  ///< from the guest
    std::uint32_t forwarded_ = 0; ///< of these, to the host
    std::uint32_t told_ = 0;      ///< forwarded_, as the guest knows it
    std::uint32_t sent_ = 0;      ///< to the guest
    std::uint32_t peer_buf_alloc_ = 0;
    std::uint32_t peer_fwd_cnt_ = 0;
    bool asked_credit_ = false;

    SendBuffer buffer_{buffer_bytes};
    std::array<char, max_command_bytes> command_{};
    std::size_t command_bytes_ = 0;
};

/// "CONNECT <port>", any case and any blanks around the words; false when it is something else.
bool parse_vsock_command(std::string_view line, std::uint32_t& port) noexcept;

} // namespace coldstart
