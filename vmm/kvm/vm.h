// One KVM virtual machine: memory slots, interrupt controllers, interrupt and doorbell plumbing.
// Source: Linux Documentation/virt/kvm/api.rst, the VM ioctls.
//
// Order matters for speed (measured on KVM-PVM, where a slot set after KVM_CREATE_IRQCHIP costs
// 5 ms): memory slots first, then create_irqchip(), then vCPUs, then doorbells.
// Threads: set-up calls from the control thread; set_irq_line from any.
#pragma once

#include "vmm/base/gpa.h"
#include "vmm/base/irq_router.h"
#include "vmm/base/unique_fd.h"
#include "vmm/kvm/kvm.h"

#include <cstdint>
#include <span>
#include <vector>

namespace coldstart {

enum class SlotAccess { read_write, read_only };

/// Whose memory a slot is: KVM's address spaces. Each has slots of its own numbering.
enum class AddressSpace : std::uint8_t {
    normal = 0,
    smm = 1, ///< processors in system management mode, where Kvm::has_smm()
};

/// A message that an irqfd of this GSI sends; with a split irqchip also one that pin `gsi` of the
/// monitor's IOAPIC sends as a level, whose end KVM tells.
struct MsiRoute {
    std::uint32_t gsi = 0;
    MsiMessage message;
};

class Vm {
  public:
    static constexpr std::uint32_t ioapic_pins = 24;

    explicit Vm(const Kvm& kvm);

    int fd() const noexcept { return fd_.get(); }
    const Kvm& kvm() const noexcept { return kvm_; }

    /// Maps `size_bytes` of host memory at `gpa`; size 0 removes the slot. Throws Error.
    void set_memory_slot(std::uint32_t slot, Gpa gpa, std::uint64_t size_bytes, void* host,
                         SlotAccess access = SlotAccess::read_write,
                         AddressSpace space = AddressSpace::normal);

    /// PIC, IOAPIC, LAPICs and PIT in the kernel. `identity_map` and `tss` are the three pages
    /// that KVM needs on some Intel hosts (vmm/machine/layout.h keeps them free of RAM).
    void create_irqchip(Gpa identity_map, Gpa tss);
    /// LAPICs alone in the kernel: the rest are the monitor's own devices.
    void create_split_irqchip(Gpa identity_map, Gpa tss);

    /// Replaces all interrupt routes: PIC and IOAPIC pins as on a PC, where ISA interrupt 0 (the
    /// PIT) arrives at IOAPIC pin 2, and `msi` after them. With a split irqchip `msi` is all.
    void set_routes(std::span<const MsiRoute> msi);

    void add_irqfd(int event_fd, std::uint32_t gsi);
    void remove_irqfd(int event_fd, std::uint32_t gsi) noexcept;
    void add_ioeventfd(bool pio, std::uint64_t address, unsigned width_bytes, std::uint64_t value,
                       int event_fd);
    void remove_ioeventfd(bool pio, std::uint64_t address, unsigned width_bytes,
                          std::uint64_t value, int event_fd) noexcept;

    /// kvmclock's nanoseconds, which the guest sees: KVM_GET_CLOCK and KVM_SET_CLOCK.
    std::uint64_t clock_ns() const;
    void set_clock_ns(std::uint64_t nanoseconds);

    void set_irq_line(std::uint32_t gsi, bool level) noexcept;
    /// Delivers a message to the local APICs.
    void signal_msi(const MsiMessage& message) noexcept;

  private:
    void set_kvm_pages(Gpa identity_map, Gpa tss);
    void ioeventfd(bool pio, std::uint64_t address, unsigned width_bytes, std::uint64_t value,
                   int event_fd, bool assign);

    const Kvm& kvm_;
    UniqueFd fd_;
    bool has_pins_ = true; ///< the kernel has PICs and IOAPIC
};

} // namespace coldstart
