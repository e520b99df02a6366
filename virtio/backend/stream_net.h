// A network backend on a connected stream socket: each frame after its length, 32 bits big-endian.
// The other side is passt, or whatever else speaks what QEMU's stream netdev does.
//
// Missing: offloads (frames carry no virtio-net header), connecting again when the peer is gone.
#pragma once

#include "virtio/backend/net_watch.h"
#include "vmm/base/unique_fd.h"

#include <cstdint>
#include <vector>

namespace coldstart {

class StreamNetBackend final : public NetBackend {
  public:
    StreamNetBackend(UniqueFd socket, Reactor& reactor);

    void connect(NetClient& client) override { watch_.start(socket_.get(), client); }
    void disconnect() noexcept override { watch_.stop(); }

    NetOffloads offloads() const noexcept override { return {}; }
    void set_guest_offloads(NetOffloads) noexcept override {}
    bool link_up() const noexcept override { return link_up_; }
    void want_frames(bool wanted) noexcept override { watch_.set(POLLIN, wanted && link_up_); }
    std::size_t receive(std::span<std::byte> frame) noexcept override;
    Sent send(std::span<iovec> frame) noexcept override;
    void flush() noexcept override;

    /// Whether the peer has read all that was sent; true when it is gone.
    bool peer_has_read() const noexcept;

  private:
    bool take_frame(std::span<std::byte> frame, std::size_t& size) noexcept;
    bool fill() noexcept;
    bool send_rest() noexcept;
    ssize_t send_some(std::span<iovec> parts) noexcept;
    void lose_link() noexcept;

    UniqueFd socket_;
    bool link_up_ = true;
    std::vector<std::byte> input_; ///< bytes from in_begin_ to in_end_ wait
    std::size_t in_begin_ = 0, in_end_ = 0;
    std::vector<std::byte> rest_; ///< of a frame the socket took a part of
    std::size_t rest_begin_ = 0, rest_end_ = 0;
    std::vector<iovec> parts_;
    NetWatch watch_;
};

} // namespace coldstart
