// A metadata service between a network card and its network: what the guest sends to the service's
// address is answered here, everything else passes.
// Source: Firecracker's docs/mmds/mmds-design.md.
//
// Claimed are ARP requests for the address and all IPv4 packets to it, whatever the hardware
// address on them, with no VLAN tag. The guest may leave checksums and segmentation to the card as
// the network behind allows; answers have all checksums and keep to the guest's segment size.
// Answers come before frames of the network. A snapshot loses the connections and the tokens: the
// guest's segments are answered with resets, and it asks again.
//
// Threads: as NetBackend; the clock's timer is fired on the I/O thread.
#pragma once

#include "virtio/backend/mmds/service.h"
#include "virtio/backend/mmds/stack.h"
#include "virtio/backend/relay_backend.h"
#include "vmm/base/clock.h"
#include "vmm/base/metadata_source.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace coldstart {

struct MmdsOptions {
    std::uint32_t ipv4_address = 0xa9fea9fe; ///< 169.254.169.254
    MmdsServiceOptions service = {};
};

class MmdsBackend final : public RelayBackend {
  public:
    /// `source` and `clock` outlive it.
    MmdsBackend(std::unique_ptr<NetBackend> network, MetadataSource& source, Clock& clock,
                const MmdsOptions& options);

    void connect(NetClient& client) override;
    void disconnect() noexcept override;
    void want_frames(bool wanted) noexcept override;
    std::size_t receive(std::span<std::byte> frame) noexcept override;
    Sent send(std::span<iovec> frame) noexcept override;

  private:
    void schedule(std::uint64_t now_ns) noexcept;

    Clock& clock_;
    MmdsService service_;
    mmds::Stack stack_;
    std::vector<std::byte> frame_; ///< from the guest
    std::atomic<bool> wanted_ = false;
    std::atomic<std::uint64_t> armed_for_ns_ = 0; ///< 0: not armed
    std::unique_ptr<Timer> timer_;                ///< last: ends before what its callback uses
};

} // namespace coldstart
