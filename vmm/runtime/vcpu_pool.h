// The vCPU threads: run, park, resume, end. One thread a vCPU; the exit path allocates nothing,
// takes no contended lock and logs nothing.
//
// Kicking: a vCPU is made to leave the guest by setting kvm_run.immediate_exit and then signalling
// its thread. The signal's handler does nothing and no state travels by it: if it comes too early,
// KVM sees the flag on entry; so no kick is lost and no signal mask is juggled.
//
// A system management interrupt is asked of KVM by the vCPU's own thread, which is kicked for it.
//
// Threads: the control thread calls everything but request_park() and raise_smi(), which any
// thread may call.
#pragma once

#include "vmm/base/guest_memory.h"
#include "vmm/base/interrupt_controller.h"
#include "vmm/base/milestone.h"
#include "vmm/base/smm.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/machine/bus.h"
#include "vmm/runtime/kvm_wiring.h"

#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace coldstart {

/// Why a vCPU stopped by itself.
struct VcpuStop {
    ExitKind kind = ExitKind::failure;
    bool emulation_failed = false;
    std::string description; ///< several lines, for a person; empty for reset and power-off events
};

/// Exits to the monitor since the machine was made.
struct ExitCounts {
    std::uint64_t io_in = 0, io_out = 0, mmio_read = 0, mmio_write = 0;
};

class VcpuPool {
  public:
    using StopHandler = std::function<void(VcpuStop)>;

    /// `on_stop` is called on a vCPU's thread, which then parks for good. The rest outlives it.
    VcpuPool(Bus& bus, KvmWiring& wiring, const GuestMemory& memory, MilestoneSink& milestones,
             StopHandler on_stop);
    ~VcpuPool();

    /// Where the monitor has the interrupt controllers: who hears of ends of interrupts, and who is
    /// asked for a vector. Before start().
    void set_controllers(EndOfInterruptListener& ioapic, InterruptAcknowledger& pic) noexcept;
    /// The boot processor's INTR pin. Any thread; nothing while there are no vCPUs.
    void set_intr(bool asserted) noexcept;

    /// Sets a vCPU up; throws Error.
    using Preparation = std::function<void(Vcpu&)>;
    /// Takes over a vCPU that has not run, the boot processor first, and starts its thread, parked.
    /// `prepare` is called on that thread, so that many are set up beside each other; without it the
    /// caller does so before resume().
    void add(std::unique_ptr<Vcpu> vcpu, Preparation prepare = {});
    /// Waits until all are prepared. Throws Error when one could not be; then stop() is left to do.
    void wait_until_prepared();
    /// Lets parked vCPUs run.
    void resume();
    /// Returns when every vCPU has left the guest, with nothing pending, and stands still.
    void park();
    /// While they are parked: tells the guest's kernel, through kvmclock, that it was stopped, so
    /// that its soft lockup detector does not mistake the time for its own.
    void tell_paused() noexcept;
    /// As park(), but does not wait: no vCPU enters the guest again once it has left it. Any
    /// thread, a vCPU's own included; never throws.
    void request_park() noexcept;
    /// As SystemManagement::raise_smi().
    void raise_smi(SmiTarget target) noexcept;
    /// Ends and joins the threads and destroys the vCPUs.
    void stop() noexcept;

    std::size_t size() const noexcept { return vcpus_.size(); }
    /// Of all vCPUs; while they run, as of a moment ago.
    ExitCounts exit_counts() const noexcept;

  private:
    enum class Wish : std::uint8_t { run, park, end };

    /// One vCPU's exits, on a cache line of its own; its thread alone writes the counts.
    struct alignas(64) Counters {
        std::atomic<std::uint64_t> reads[2]{}, writes[2]{}; ///< by BusKind
        std::atomic<bool> smi{false};                       ///< wanted, and not asked of KVM yet

        void count(BusKind bus, bool is_write) noexcept {
            auto& counter = (is_write ? writes : reads)[static_cast<std::size_t>(bus)];
            counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        }
    };

    void prepare_on_thread(Vcpu& vcpu, const Preparation& prepare) noexcept;
    void thread_main(Vcpu& vcpu, Counters& counters) noexcept;
    /// After an interrupted run: whether the vCPU is to go on.
    bool wanted(Vcpu& vcpu) noexcept;
    /// Waits while the wish is to park; false when the thread is to end.
    bool rest(Vcpu& vcpu);
    /// Gives the boot processor what waits at its INTR pin, or has KVM say when it takes that.
    void offer_interrupt(Vcpu& vcpu) noexcept;
    void carry_out_io(const GuestAccess& access) noexcept;
    void carry_out_mmio(const GuestAccess& access) noexcept;
    void kick(std::size_t index) noexcept;
    void kick_all() noexcept;
    void set_wish(Wish wish) noexcept;

    Bus& bus_;
    KvmWiring& wiring_;
    const GuestMemory& memory_;
    MilestoneSink& milestones_;
    StopHandler on_stop_;

    EndOfInterruptListener* ioapic_ = nullptr;
    InterruptAcknowledger* pic_ = nullptr;
    std::atomic<bool> intr_{false};
    /// Acknowledged, and refused by KVM for the moment; the boot processor's thread alone.
    std::optional<std::uint8_t> held_vector_;

    std::mutex mutex_;
    std::condition_variable changed_;
    Wish wish_ = Wish::park;
    std::size_t resting_ = 0;
    std::size_t unprepared_ = 0;
    std::exception_ptr failure_; ///< of a preparation
    std::vector<std::unique_ptr<Vcpu>> vcpus_;
    std::vector<std::thread> threads_;
    std::vector<std::unique_ptr<Counters>> counters_; ///< they outlive the vCPUs of a reset
};

} // namespace coldstart
