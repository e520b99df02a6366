// A virtio network card in front of a network backend.
// Source: virtio 1.2, section 5.1.
//
// Nothing is dropped for want of buffers: a frame stays with the host until the guest has given
// one, and a chain stays in the transmit queue until the host takes it. At most one received frame
// waits here, for more buffers than there were; a snapshot loses it, as networks do.
// Checksums and segmentation are left to whom the backend says (a TAP) or done by the guest.
// Each direction may have a rate limit, which counts frames and their bytes, header included; what
// is over it waits in the host or in the transmit queue.
// Missing: several queue pairs, RSS, UDP segmentation, VLAN filtering, gratuitous announcements,
// GUEST_OFFLOADS and notification coalescing by command, SPEED_DUPLEX, STANDBY.
//
// Threads: as VirtioDevice; the NetClient calls come on the I/O thread. set_rate_limit belongs to
// the control thread.
#pragma once

#include "virtio/backend/net_backend.h"
#include "virtio/core/counter.h"
#include "virtio/core/queue_turn.h"
#include "virtio/core/split_queue.h"
#include "virtio/core/throttle.h"
#include "virtio/core/virtio_device.h"
#include "virtio/net/receive_filter.h"

#include <array>
#include <memory>
#include <optional>
#include <vector>

namespace coldstart {

struct VirtioNetOptions {
    MacAddress mac;
    std::uint16_t mtu = 0;               ///< what the driver is told, from 68 on; 0: nothing
    Clock* clock = nullptr;              ///< outlives the device; for rate limits, now or later
    RateLimitOptions receive_limit = {}; ///< host to guest
    RateLimitOptions transmit_limit = {};
};

class VirtioNet final : public VirtioDevice, private NetClient {
  public:
    static constexpr unsigned receive_queue = 0;
    static constexpr unsigned transmit_queue = 1;
    static constexpr unsigned control_queue = 2;

    VirtioNet(std::unique_ptr<NetBackend> backend, const VirtioNetOptions& options);
    ~VirtioNet() override;

    std::string_view type() const noexcept override { return "virtio-net"; }
    std::uint32_t device_id() const noexcept override { return 1; }
    std::uint64_t features() const noexcept override;
    std::span<const std::uint16_t> queue_sizes() const noexcept override;

    void read_config(std::uint64_t offset, std::span<std::byte> out) noexcept override;
    void write_config(std::uint64_t, ByteView) noexcept override {}

    bool activate(const VirtioActivation& activation) noexcept override;
    void deactivate() noexcept override;
    void process_queue(unsigned index) noexcept override;
    void pause() noexcept override;
    void resume() noexcept override { paused_ = false; }

    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;
    Counters counters() const override;

    /// Throws Error, and then nothing has changed.
    void set_rate_limit(const RateLimitUpdate& receive, const RateLimitUpdate& transmit);
    RateLimitOptions receive_limit();
    RateLimitOptions transmit_limit();
    /// How often a limit made frames wait. Any thread.
    std::uint64_t receive_held_count() const noexcept { return receive_throttle_.held_count(); }
    std::uint64_t transmit_held_count() const noexcept { return transmit_throttle_.held_count(); }

  private:
    struct Counts {
        Counter rx_frames, rx_bytes, rx_dropped, rx_no_buffers, rx_kicks, rx_limit_events;
        Counter tx_frames, tx_bytes, tx_malformed, tx_kicks, tx_limit_events;
    };
    enum class Delivery { done, no_buffers, over_limit, broken };
    static constexpr unsigned max_segments = 256;

    // NetClient.
    void frames_wait() noexcept override;
    void room_again() noexcept override;

    bool queue_working(unsigned index) const noexcept {
        return active_ && !paused_ && !failed_ && active_->queues[index].ready();
    }
    bool accepted(std::uint64_t feature) const noexcept {
        return (active_->features & feature) != 0;
    }
    bool pop(SplitQueue& queue, DescriptorChain& chain) noexcept;
    void fail(std::string_view reason) noexcept;
    void publish(unsigned index) noexcept;
    void check_link() noexcept;
    void limit_passed(Throttle& throttle, unsigned index) noexcept;
    void power_on() noexcept;

    // receive.cpp
    void receive() noexcept;
    bool buffers_there(SplitQueue& queue) noexcept;
    bool fetch_frame() noexcept;
    bool make_acceptable(std::span<std::byte> frame) const noexcept;
    bool gso_accepted(std::uint8_t gso_type) const noexcept;
    Delivery deliver_within_limit(SplitQueue& queue) noexcept;
    Delivery deliver(SplitQueue& queue) noexcept;

    void transmit() noexcept;
    Served transmit_chain(SplitQueue& queue, const DescriptorChain& chain) noexcept;
    bool send(const DescriptorChain& frame) noexcept;
    void control() noexcept;
    bool execute(ByteView command) noexcept;

    std::unique_ptr<NetBackend> backend_;
    const VirtioNetOptions options_;
    bool link_up_ = true; ///< as the driver knows it

    std::optional<VirtioActivation> active_;
    bool paused_ = false;
    bool failed_ = false; ///< until the driver resets
    ReceiveFilter filter_;
    std::vector<std::byte> frame_;         ///< received last
    std::size_t waiting_bytes_ = 0;        ///< of frame_, when it waits for buffers
    std::vector<virtq::UsedElement> used_; ///< the chains that hold a part of frame_
    std::array<iovec, max_segments> segments_{};
    Counts counts_;
    // Last: their timers end before anything the callbacks use.
    Throttle receive_throttle_, transmit_throttle_;
};

} // namespace coldstart
