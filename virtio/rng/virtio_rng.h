// A virtio entropy device: fills the guest's buffers with the host kernel's random bytes.
// Source: virtio 1.2, section 5.4.
//
// At most 64 KiB a buffer and a few buffers a turn, so that a greedy guest does not hold the I/O
// thread; the rest of a larger buffer stays as it is, as the specification allows.
// A rate limit counts the bytes given and the buffers; those over it stay in the queue.
// Missing: VIRTIO_RNG_F_LEAK.
// Threads: as VirtioDevice; set_rate_limit belongs to the control thread.
#pragma once

#include "virtio/core/counter.h"
#include "virtio/core/queue_turn.h"
#include "virtio/core/split_queue.h"
#include "virtio/core/throttle.h"
#include "virtio/core/virtio_device.h"

#include <array>
#include <optional>

namespace coldstart {

struct VirtioRngOptions {
    Clock* clock = nullptr; ///< outlives the device; for a rate limit, now or later
    RateLimitOptions limit = {};
};

class VirtioRng final : public VirtioDevice {
  public:
    static constexpr std::size_t max_fill_bytes = 64ul * 1024;

    VirtioRng() : VirtioRng(VirtioRngOptions{}) {}
    explicit VirtioRng(const VirtioRngOptions& options);

    std::string_view type() const noexcept override { return "virtio-rng"; }
    std::uint32_t device_id() const noexcept override { return 4; }
    std::uint64_t features() const noexcept override {
        return virtio_feature::indirect_desc | virtio_feature::event_idx;
    }
    std::span<const std::uint16_t> queue_sizes() const noexcept override;

    void read_config(std::uint64_t, std::span<std::byte>) noexcept override {}
    void write_config(std::uint64_t, ByteView) noexcept override {}

    bool activate(const VirtioActivation& activation) noexcept override;
    void deactivate() noexcept override;
    void process_queue(unsigned index) noexcept override;

    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;
    Counters counters() const override;

    /// Throws Error, and then nothing has changed.
    void set_rate_limit(const RateLimitUpdate& update);
    RateLimitOptions rate_limit();
    /// How often the limit made buffers wait. Any thread.
    std::uint64_t held_count() const noexcept { return throttle_.held_count(); }

  private:
    void limit_passed() noexcept;
    Served fill(SplitQueue& queue, const DescriptorChain& chain) noexcept;
    void fail(std::string_view reason) noexcept;

    std::optional<VirtioActivation> active_;
    std::array<iovec, 64> segments_{};
    struct {
        Counter buffers, bytes, broken, host_fails, limit_events;
    } counts_;
    Throttle throttle_; ///< last: its timer ends before anything the callback uses
};

} // namespace coldstart
