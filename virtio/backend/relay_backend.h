// A network with something in between: what stands between a card and its network passes on what
// it does not change.
// Threads: as NetBackend.
#pragma once

#include "virtio/backend/net_backend.h"

#include <memory>
#include <utility>

namespace coldstart {

class RelayBackend : public NetBackend {
  public:
    NetOffloads offloads() const noexcept final { return network_->offloads(); }
    void set_guest_offloads(NetOffloads offloads) noexcept final {
        network_->set_guest_offloads(offloads);
    }
    bool link_up() const noexcept final { return network_->link_up(); }
    void flush() noexcept final { network_->flush(); }

  protected:
    explicit RelayBackend(std::unique_ptr<NetBackend> network) noexcept
        : network_(std::move(network)) {}

    NetBackend& network() noexcept { return *network_; }

  private:
    std::unique_ptr<NetBackend> network_;
};

} // namespace coldstart
