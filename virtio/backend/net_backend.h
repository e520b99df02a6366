// The host's end of a network card: a TAP interface, a user-mode network, a fake.
//
// A frame begins with the 12 bytes of struct virtio_net_hdr_v1 (virtio 1.2, section 5.1.6), also
// where the backend has no use for them: then it ignores them in what is sent, and they are zero
// in what is received. num_buffers is the card's to fill in.
//
// Threads: one owner, whose lock is held around every call but connect and disconnect. The client
// is called on the I/O thread without that lock. No call blocks, and none after construction
// throws or allocates.
//
//     client.frames_wait() -> backend.receive(), again and again, until it says 0
//     backend.send() says full -> client.room_again() some time later -> backend.flush(), send()
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <sys/uio.h>

namespace coldstart {

/// Work on a frame that its sender may leave to the receiver.
struct NetOffloads {
    bool checksum = false; ///< TCP and UDP checksums; the others need it
    bool tso4 = false;     ///< TCP over IPv4 in frames larger than the MTU
    bool tso6 = false;
    bool ecn = false; ///< such frames with congestion notification

    bool operator==(const NetOffloads&) const noexcept = default;
};

class NetClient {
  public:
    virtual ~NetClient() = default;
    /// Frames wait to be received, or the link went down.
    virtual void frames_wait() noexcept = 0;
    /// After send() said full, or took a frame of which a part is not out yet: there is room
    /// again. Call flush(), then go on sending.
    virtual void room_again() noexcept = 0;
};

class NetBackend {
  public:
    static constexpr std::size_t header_bytes = 12;
    /// Header, Ethernet header with VLAN tags, the largest IP packet, and some to spare.
    static constexpr std::size_t max_frame_bytes = 68ul * 1024;

    enum class Sent { taken, full };

    NetBackend() = default;
    NetBackend(const NetBackend&) = delete;
    NetBackend& operator=(const NetBackend&) = delete;
    virtual ~NetBackend() = default;

    /// `client` hears of frames from now to disconnect(). Throws Error.
    virtual void connect(NetClient& client) = 0;
    /// After it the client is not being called and will not be. Without the owner's lock.
    virtual void disconnect() noexcept = 0;

    /// What a sent frame may leave to the host, and what a received one may leave to the guest
    /// where it wants that.
    virtual NetOffloads offloads() const noexcept = 0;
    /// What the guest takes; at first nothing.
    virtual void set_guest_offloads(NetOffloads offloads) noexcept = 0;
    /// False once the other side is gone.
    virtual bool link_up() const noexcept = 0;

    /// Whether to call frames_wait(), which comes as long as frames do; at first not.
    virtual void want_frames(bool wanted) noexcept = 0;
    /// The next frame, header first, into `frame` of max_frame_bytes; its size, 0 when none waits.
    virtual std::size_t receive(std::span<std::byte> frame) noexcept = 0;
    /// Sends a frame of at least header_bytes; may change the segments. What the host can't send
    /// is taken and lost, as on any network.
    virtual Sent send(std::span<iovec> frame) noexcept = 0;
    /// Hands on what was taken and is not out yet.
    virtual void flush() noexcept {}
};

} // namespace coldstart
