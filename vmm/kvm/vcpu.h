// One virtual CPU: its registers at reset and entry, the run loop's single step, and what is said
// of it when it can't go on.
// Sources: Linux Documentation/virt/kvm/api.rst (the vCPU ioctls and kvm_run); Intel SDM vol. 3
// section 10.1.1 for the reset state.
//
// Threads: everything from the vCPU's own thread once it runs, except request_exit().
#pragma once

#include "vmm/base/entry_state.h"
#include "vmm/base/guest_memory.h"
#include "vmm/base/unique_fd.h"
#include "vmm/kvm/boot_watch.h"
#include "vmm/kvm/cpuid.h"
#include "vmm/kvm/vm.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>

struct kvm_run;

namespace coldstart {

enum class ExitKind : std::uint8_t {
    io,               ///< port access: `access` is set
    mmio,             ///< memory access outside any slot: `access` is set
    interrupted,      ///< request_exit() or a signal
    interrupt_window, ///< ask_for_interrupt_window(): the guest would take one now
    end_of_interrupt, ///< of a level-triggered one of the monitor's IOAPIC: ended_vector()
    shutdown,         ///< triple fault
    reset_event,      ///< KVM_SYSTEM_EVENT_RESET
    poweroff_event,   ///< KVM_SYSTEM_EVENT_SHUTDOWN
    failure,          ///< the vCPU can't go on: describe_failure() tells why
};

/// A guest access to be carried out before the next run(). `data` points into the shared area: a
/// read's result goes there. A string I/O instruction makes `count` accesses of `width` bytes.
struct GuestAccess {
    std::uint64_t address = 0;
    std::byte* data = nullptr;
    unsigned width = 0; ///< 1, 2, 4 for ports; 1..8 for memory
    std::uint32_t count = 1;
    bool is_write = false;
    bool in_smm = false; ///< made in system management mode
};

class Vcpu {
  public:
    Vcpu(const Vm& vm, std::uint32_t index);
    ~Vcpu();
    Vcpu(const Vcpu&) = delete;
    Vcpu& operator=(const Vcpu&) = delete;

    std::uint32_t index() const noexcept { return index_; }
    int fd() const noexcept { return fd_.get(); }

    /// KVM_GET_TSC_KHZ; 0 when the host can't tell.
    std::uint32_t tsc_khz() const noexcept;
    void set_cpuid(const CpuidTable& table);
    /// MSRs as firmware leaves them on every processor for an operating system that is entered
    /// directly: fast strings, memory type write-back. They outlive INIT.
    void set_firmware_msrs();
    /// The local APIC as firmware leaves it: LINT0 = ExtINT, LINT1 = NMI. Boot processor only; an
    /// INIT would undo it on the others.
    void set_firmware_lapic();
    /// The state of the boot processor. EntryMode::reset leaves KVM's reset state as it is.
    void set_entry_state(const EntryState& entry);

    /// Tells `milestones` of steps that cause no exit by themselves; before the first run().
    void watch_boot(std::shared_ptr<MsrWatch> msrs, MilestoneSink& milestones);

    /// Enters the guest until something is to be done. Never throws, allocates or logs. With an
    /// exit requested it first completes the access of the last exit (api.rst, KVM_RUN), which
    /// can ask for another access; `interrupted` means that nothing is pending any more.
    ExitKind run() noexcept;
    const GuestAccess& access() const noexcept { return access_; }
    std::uint8_t ended_vector() const noexcept;

    // The 8259s' wire, with a split irqchip. Before the first run() nothing is taken.
    /// As of the last exit: interrupts are enabled, and the local APIC lets this wire through.
    bool takes_interrupt() const noexcept;
    /// The guest takes it when it runs next. False when an earlier one still waits for that.
    bool inject(std::uint8_t vector) noexcept;
    /// Whether run() returns `interrupt_window` as soon as the guest takes an interrupt.
    void ask_for_interrupt_window(bool wanted) noexcept;

    /// Makes the current or next run() return `interrupted`: sets the flag KVM looks at on entry.
    /// To get a vCPU out of the guest at once the caller signals its thread as well. Any thread.
    void request_exit() noexcept;
    void clear_exit_request() noexcept;
    /// A system management interrupt: the next run() begins with it. Where Kvm::has_smm().
    void raise_smi() noexcept;
    /// KVM_KVMCLOCK_CTRL: the guest was paused. Any thread while the vCPU does not run; without
    /// effect for a guest that does not use kvmclock.
    void tell_paused() noexcept;

    /// After `shutdown` or `failure`: the cause, all registers and the bytes at the instruction
    /// pointer, several lines.
    std::string describe_failure(ExitKind kind, const GuestMemory& memory) const;

    /// True when the last exit was KVM saying it can't emulate an instruction (sub-error 1).
    bool emulation_failed() const noexcept;

  private:
    ExitKind decode_exit() noexcept;
    std::string describe_registers() const;
    std::string describe_code(const GuestMemory& memory) const;

    std::uint32_t index_;
    UniqueFd fd_;
    std::size_t area_bytes_;
    kvm_run* area_ = nullptr;
    GuestAccess access_;
    int run_errno_ = 0;
    std::unique_ptr<BootWatch> watch_; ///< none: nobody wants to know
};

} // namespace coldstart
