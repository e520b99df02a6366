// What every virtio transport does alike: feature negotiation, the device status, the queues, and
// when the device behind is active. virtio-mmio and virtio-pci put their registers in front of it.
// Source: virtio 1.2, sections 2.1, 2.2, 2.4 and 3.1.
//
// Out of order is ignored, as no driver that follows section 3.1 does it: features written after
// FEATURES_OK, a queue set up after DRIVER_OK, DRIVER_OK without FEATURES_OK, a status bit cleared
// one by one. What can't work (a queue outside RAM) sets DEVICE_NEEDS_RESET.
// Missing: VIRTIO_F_RING_RESET, notification data, shared memory, the admin virtqueue.
//
// Threads: callers hold device().lock(), except for status(), config_generation() and the
// VirtioNotifier calls, which any thread may make with or without it.
#pragma once

#include "virtio/core/split_queue.h"
#include "virtio/core/virtio_device.h"
#include "vmm/base/log.h"
#include "vmm/base/milestone.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace coldstart {

/// What the state asks of its transport. Any thread; the device lock may be held.
class VirtioSignals {
  public:
    virtual ~VirtioSignals() = default;
    /// Interrupt the driver for used buffers of queue `index`.
    virtual void queue_interrupt(unsigned index) noexcept = 0;
    /// Interrupt the driver for a configuration change.
    virtual void config_interrupt() noexcept = 0;
    /// Call process_queue(index) on the I/O thread, as if the driver had kicked.
    virtual void wake_queue(unsigned index) noexcept = 0;
};

class VirtioState final : public VirtioNotifier {
  public:
    /// All three outlive the state.
    VirtioState(VirtioDevice& device, const GuestMemory& memory, VirtioSignals& signals);

    VirtioDevice& device() const noexcept { return device_; }

    /// 32 feature bits: word 0 holds bits 0..31, word 1 bits 32..63; others are empty.
    std::uint32_t device_features(std::uint32_t word) const noexcept;
    std::uint32_t driver_features(std::uint32_t word) const noexcept;
    void set_driver_features(std::uint32_t word, std::uint32_t bits) noexcept;

    /// Who hears, as of `name`, when a driver is ready and when it resets the device after that.
    /// Before the guest runs; `milestones` outlives the state.
    void tell_milestones(MilestoneSink& milestones, std::string name) noexcept {
        milestones_ = &milestones;
        name_ = std::move(name);
    }

    std::uint8_t status() const noexcept { return status_.load(std::memory_order_acquire); }
    /// The driver writes the status; zero resets the device before it returns.
    void write_status(std::uint8_t value) noexcept;
    std::uint32_t config_generation() const noexcept {
        return generation_.load(std::memory_order_acquire);
    }

    unsigned queue_count() const noexcept { return static_cast<unsigned>(queues_.size()); }
    /// Queue `index`, or nullptr.
    const SplitQueue* queue(std::uint32_t index) const noexcept;
    /// The same where the driver may still change size and addresses, else nullptr.
    SplitQueue* configurable_queue(std::uint32_t index) noexcept;
    void set_queue_ready(std::uint32_t index, bool ready) noexcept;

    /// The driver kicked queue `index`; I/O thread.
    void process_queue(std::uint32_t index) noexcept;

    // As Device, whose calls the transport hands on.
    void pause() noexcept;
    bool drained() noexcept { return device_.drained(); }
    void resume() noexcept;
    void reset() noexcept;
    /// Wakes every queue of an active device: kicks may have been missed.
    void wake_all() noexcept;
    void save(StateWriter& writer) const;
    void restore(StateReader& reader);

    // VirtioNotifier.
    void queue_used(unsigned index) noexcept override { signals_.queue_interrupt(index); }
    void queue_again(unsigned index) noexcept override { signals_.wake_queue(index); }
    void config_changed() noexcept override;
    void needs_reset(std::string_view reason) noexcept override;

  private:
    bool has(std::uint8_t bits) const noexcept { return (status() & bits) != 0; }
    bool features_acceptable() const noexcept;
    void activate() noexcept;
    void deactivate() noexcept;

    VirtioDevice& device_;
    const GuestMemory& memory_;
    VirtioSignals& signals_;
    const std::uint64_t offered_;
    std::vector<SplitQueue> queues_;

    std::atomic<std::uint8_t> status_ = 0;
    std::atomic<std::uint32_t> generation_ = 0;
    std::uint64_t accepted_ = 0; ///< driver features
    bool active_ = false;
    bool paused_ = false;
    MilestoneSink* milestones_ = &no_milestones();
    std::string name_;
    LogLimiter complaints_;
};

} // namespace coldstart
