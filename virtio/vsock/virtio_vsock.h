// A virtio socket device: streams between the guest and programs of the host.
// Source: virtio 1.2, section 5.10.
//
// Nothing is dropped for want of buffers: what a host program sends stays in its socket until the
// guest has a buffer and credit. Streams take turns, and one whose host program does not read fills
// its own buffer only. Where the guest does not take the answers to what it sends, its transmit
// queue waits (5.10.6.2).
// A reset of the device closes every stream at the host. So does restoring a saved state, which has
// no stream in it: the driver gets a transport reset event then.
// A packet with a source that is not the guest is ignored; one to another CID than the host's is
// answered with a reset. A chain too short for what it says breaks the protocol.
//
// Missing: VIRTIO_VSOCK_F_SEQPACKET.
//
// Threads: as VirtioDevice; the VsockHostClient call comes on the I/O thread.
#pragma once

#include "virtio/core/counter.h"
#include "virtio/core/split_queue.h"
#include "virtio/core/virtio_device.h"
#include "virtio/vsock/vsock_host.h"

#include <array>
#include <memory>
#include <optional>

namespace coldstart {

class VirtioVsock final : public VirtioDevice, private VsockHostClient {
  public:
    static constexpr unsigned receive_queue = 0;
    static constexpr unsigned transmit_queue = 1;
    static constexpr unsigned event_queue = 2;

    /// Throws Error when the cid is none of a guest. Reactor and clock outlive the device.
    VirtioVsock(std::uint32_t guest_cid, std::shared_ptr<VsockListener> listener, Reactor& reactor,
                Clock& clock);
    ~VirtioVsock() override;

    std::string_view type() const noexcept override { return "virtio-vsock"; }
    std::uint32_t device_id() const noexcept override { return 19; }
    std::uint64_t features() const noexcept override;
    std::span<const std::uint16_t> queue_sizes() const noexcept override;

    void read_config(std::uint64_t offset, std::span<std::byte> out) noexcept override;
    void write_config(std::uint64_t, ByteView) noexcept override {}

    bool activate(const VirtioActivation& activation) noexcept override;
    void deactivate() noexcept override;
    void process_queue(unsigned index) noexcept override;
    void pause() noexcept override;
    void resume() noexcept override;

    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;
    Counters counters() const override;

    /// For tests: under the lock.
    const VsockHost& host() const noexcept { return host_; }

  private:
    static constexpr unsigned max_segments = 128;

    void vsock_host_stirs() noexcept override;

    bool working() const noexcept { return active_ && !paused_ && !failed_; }
    bool queue_working(unsigned index) const noexcept {
        return working() && active_->queues[index].ready();
    }
    bool pop(SplitQueue& queue, DescriptorChain& chain) noexcept;
    void fail(std::string_view reason) noexcept;
    void publish(unsigned index) noexcept;
    void receive() noexcept;
    bool buffers_there(SplitQueue& queue) noexcept;
    bool receive_packet(SplitQueue& queue) noexcept;
    void transmit() noexcept;
    void transmit_chain(SplitQueue& queue, const DescriptorChain& chain) noexcept;
    void announce_reset() noexcept;

    std::uint32_t guest_cid_;
    VsockHost host_;
    std::optional<VirtioActivation> active_;
    bool paused_ = false;
    bool failed_ = false;         ///< until the driver resets
    bool reset_is_news_ = false;  ///< a transport reset event is due
    bool transmit_waits_ = false; ///< for the guest to take answers
    LogLimiter complaints_;
    struct {
        Counter rx_kicks, rx_packets, rx_bytes, tx_kicks, tx_packets, tx_bytes;
    } counts_;
    std::array<iovec, max_segments> segments_{};
    std::array<iovec, max_segments> room_{};
};

} // namespace coldstart
