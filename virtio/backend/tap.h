// A network backend on a TAP interface of the host.
// Source: Linux Documentation/networking/tuntap.rst; the virtio-net header of its frames, 12 bytes
// as IFF_VNET_HDR and TUNSETVNETHDRSZ give it, is the guest's own.
//
// For `run` the interface must be there: who makes, bridges and takes it away is the host's administrator,
// and a user who owns it (`ip tuntap add ... user`) needs no privilege.
// Missing: several queues, UDP segmentation (UFO, USO), vhost-net, macvtap.
#pragma once

#include "virtio/backend/net_watch.h"
#include "vmm/base/unique_fd.h"

#include <string>

namespace coldstart {

/// What to do when there is no interface of that name.
enum class TapMissing {
    refuse,
    make ///< one that is gone with its last descriptor; needs privilege
};

/// The interface, open as TapBackend wants it. Throws Error when there is none and none is made,
/// it is no TAP, or it is another's.
UniqueFd open_tap(const std::string& name, TapMissing missing);

class TapBackend final : public NetBackend {
  public:
    /// Throws Error when there is no interface `name`, it is no TAP, or it is another's.
    TapBackend(const std::string& name, Reactor& reactor);
    /// Of open_tap().
    TapBackend(UniqueFd tap, Reactor& reactor);
    /// For tests: `fd` is as an open TAP, a datagram a frame.
    TapBackend(UniqueFd fd, NetOffloads offloads, Reactor& reactor);

    void connect(NetClient& client) override { watch_.start(fd_.get(), client); }
    void disconnect() noexcept override { watch_.stop(); }

    NetOffloads offloads() const noexcept override { return offloads_; }
    void set_guest_offloads(NetOffloads offloads) noexcept override;
    bool link_up() const noexcept override { return link_up_; }
    void want_frames(bool wanted) noexcept override { watch_.set(POLLIN, wanted && link_up_); }
    std::size_t receive(std::span<std::byte> frame) noexcept override;
    Sent send(std::span<iovec> frame) noexcept override;

  private:
    UniqueFd fd_;
    NetOffloads offloads_;
    bool link_up_ = true;
    NetWatch watch_;
};

} // namespace coldstart
