// A virtio device without its transport: features, configuration space, queues. The same object
// stands behind virtio-mmio and virtio-pci.
// Source: virtio 1.2, sections 2 (basic facilities) and 3 (initialisation). Modern only:
// VIRTIO_F_VERSION_1 is always offered and required.
//
// Threads: the transport holds the device's lock() around every call below. Register accesses
// come from vCPU threads, process_queue from the device I/O thread. A device's own callbacks on
// the I/O thread (a completion, a readable socket) take the lock themselves.
#pragma once

#include "vmm/base/guest_memory.h"
#include "vmm/base/state_io.h"

#include <cstdint>
#include <mutex>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace coldstart {

class SplitQueue;

/// Feature bits every transport and queue knows (virtio 1.2 section 6).
namespace virtio_feature {
inline constexpr std::uint64_t indirect_desc = 1ull << 28;
inline constexpr std::uint64_t event_idx = 1ull << 29;
inline constexpr std::uint64_t version_1 = 1ull << 32;
} // namespace virtio_feature

/// How a device reaches its driver; implemented by the transport. Any thread; the device lock may
/// be held.
class VirtioNotifier {
  public:
    virtual ~VirtioNotifier() = default;
    /// Used buffers were added to queue `index` and the driver wants to know.
    virtual void queue_used(unsigned index) noexcept = 0;
    /// Process queue `index` again soon: the device stopped early so as not to hold the I/O thread.
    virtual void queue_again(unsigned index) noexcept = 0;
    /// The configuration space changed: raises the generation and interrupts the driver.
    virtual void config_changed() noexcept = 0;
    /// The driver broke the protocol: sets DEVICE_NEEDS_RESET (virtio 1.2 section 2.1.2), logs
    /// `reason` once, and ignores the queues until the driver resets the device.
    virtual void needs_reset(std::string_view reason) noexcept = 0;
};

/// What a device gets when its driver sets DRIVER_OK.
struct VirtioActivation {
    const GuestMemory& memory;
    std::uint64_t features = 0;   ///< as negotiated
    std::span<SplitQueue> queues; ///< one for each queue of the device, ready or not
    VirtioNotifier& notifier;     ///< outlives the activation
};

class VirtioDevice {
  public:
    VirtioDevice() = default;
    VirtioDevice(const VirtioDevice&) = delete;
    VirtioDevice& operator=(const VirtioDevice&) = delete;
    virtual ~VirtioDevice() = default;

    std::mutex& lock() noexcept { return lock_; }

    virtual std::string_view type() const noexcept = 0;   ///< "virtio-blk"
    virtual std::uint32_t device_id() const noexcept = 0; ///< virtio 1.2 section 5
    /// Device-specific features and the queue features it can honour; the transport adds
    /// VERSION_1.
    virtual std::uint64_t features() const noexcept = 0;
    /// The largest size of each queue: a power of two up to 32768.
    virtual std::span<const std::uint16_t> queue_sizes() const noexcept = 0;

    /// Device configuration space. Reads beyond its end yield zero bytes, writes there vanish.
    virtual void read_config(std::uint64_t offset, std::span<std::byte> out) noexcept = 0;
    virtual void write_config(std::uint64_t offset, ByteView in) noexcept = 0;

    /// DRIVER_OK: the queues may be used from now to deactivate(). Returns false when the device
    /// can't work with what was negotiated; the transport then sets DEVICE_NEEDS_RESET.
    virtual bool activate(const VirtioActivation& activation) noexcept = 0;
    /// The driver reset the device, or the machine stops it: wait for what is in flight, then
    /// touch neither queues nor guest memory any more. Called only while active.
    virtual void deactivate() noexcept = 0;
    /// The driver made buffers available on queue `index`. I/O thread; only while active.
    virtual void process_queue(unsigned index) noexcept = 0;

    // As Device: pause stops taking new requests, drained says whether any is in flight.
    virtual void pause() noexcept {}
    virtual bool drained() noexcept { return true; }
    virtual void resume() noexcept {}

    virtual void save(StateWriter& writer) const = 0;
    virtual void restore(StateReader& reader) = 0;

    /// What it has done since it was made, by Firecracker's names: ("read_bytes", 4096). Any
    /// thread, without the lock.
    using Counters = std::vector<std::pair<std::string_view, std::uint64_t>>;
    virtual Counters counters() const { return {}; }

  private:
    std::mutex lock_;
};

} // namespace coldstart
