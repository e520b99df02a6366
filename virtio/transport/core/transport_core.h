// What stands behind the registers of every virtio transport: the device, its state machine, and
// the way a kick takes to the I/O thread.
//
// A kick is an eventfd signal: KVM gives it by ioeventfd, or the transport's write() does by
// wake(). Either way the queue is processed on the I/O thread and the vCPU goes on.
//
// Threads: wake from any; the lifecycle calls as in Device, without the device lock, which they
// take themselves.
#pragma once

#include "virtio/core/virtio_state.h"
#include "vmm/base/error.h"
#include "vmm/base/reactor.h"
#include "vmm/base/unique_fd.h"

#include <memory>
#include <vector>

namespace coldstart {

class TransportCore {
  public:
    /// Memory, signals and reactor outlive it. The owner calls halt() before it goes: the I/O
    /// thread may be about to call `signals`.
    TransportCore(std::unique_ptr<VirtioDevice> device, const GuestMemory& memory,
                  VirtioSignals& signals, Reactor& reactor);

    VirtioDevice& device() noexcept { return *device_; }
    const VirtioDevice& device() const noexcept { return *device_; }
    std::mutex& lock() const noexcept { return device_->lock(); }
    /// Under the lock, where VirtioState asks for it.
    VirtioState& state() noexcept { return state_; }
    const VirtioState& state() const noexcept { return state_; }

    /// For the doorbell of queue `index`.
    int kick_fd(unsigned index) const noexcept { return kicks_[index].get(); }
    /// What a kick of queue `index` does; nothing when there is no such queue.
    void wake(std::uint32_t index) noexcept;

    void start();
    void pause();
    bool drained();
    void resume();
    /// Ends the watches, then the device's work.
    void halt();

  private:
    void kicked(unsigned index) noexcept;

    std::unique_ptr<VirtioDevice> device_;
    VirtioState state_;
    std::vector<UniqueFd> kicks_;
    std::vector<std::unique_ptr<Watch>> watches_;
};

/// A ring address that the driver writes in two halves.
constexpr Gpa with_low(Gpa gpa, std::uint32_t low) noexcept {
    return Gpa((gpa.value & ~std::uint64_t{0xffffffff}) | low);
}
constexpr Gpa with_high(Gpa gpa, std::uint32_t high) noexcept {
    return Gpa((gpa.value & 0xffffffff) | std::uint64_t{high} << 32);
}

/// Restores all or nothing. Transport, queues and device each read their own part: when one of
/// them throws, those before it get back what `save` wrote, and the Error goes on.
template <typename Save, typename Restore>
void restore_or_undo(StateReader& reader, const Save& save, const Restore& restore) {
    StateWriter before;
    save(before);
    try {
        restore(reader);
    } catch (const Error&) {
        StateReader undo(before.bytes());
        restore(undo);
        throw;
    }
}

} // namespace coldstart
