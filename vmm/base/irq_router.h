// How the board turns wiring facts (a GSI, a doorbell address) into something that works: the
// hypervisor's side of interrupts in and kicks out, seen by vmm/machine without KVM.
#pragma once

#include "vmm/base/irq_line.h"

#include <cstdint>
#include <memory>

namespace coldstart {

/// A message-signalled interrupt: Intel SDM vol. 3 section 11.11.
struct MsiMessage {
    std::uint64_t address = 0;
    std::uint32_t data = 0;

    bool operator==(const MsiMessage&) const noexcept = default;
};

/// One message a PCI function may send: a vector of its MSI-X table, or its MSI. Like an IrqLine
/// it is a leaf: any thread may call it, a device's lock held or not.
class MsiLine {
  public:
    virtual ~MsiLine() = default;

    /// What send() sends from now on: the guest has written the function's table.
    virtual void set_message(MsiMessage message) noexcept = 0;
    /// Sends the message once; nothing when there has been none yet.
    virtual void send() noexcept = 0;
};

class MsiRouter {
  public:
    virtual ~MsiRouter() = default;

    /// A line of its own; it stays good over a machine reset. Throws Error when the host refuses.
    virtual std::unique_ptr<MsiLine> make_msi() = 0;
};

class IrqRouter {
  public:
    virtual ~IrqRouter() = default;

    /// The line of interrupt `gsi`. A level line drives KVM's irqchip; an edge line is an irqfd,
    /// for which only pulse() has a meaning. The line stays good over a machine reset. Throws
    /// Error when the host refuses.
    virtual std::unique_ptr<IrqLine> connect(std::uint32_t gsi, bool edge_triggered) = 0;
};

class DoorbellRegistry {
  public:
    virtual ~DoorbellRegistry() = default;

    /// A guest write of `width_bytes` bytes equal to `value` at `address` signals `event_fd`
    /// without leaving the kernel. Throws Error when the host refuses.
    virtual void attach(bool pio, std::uint64_t address, unsigned width_bytes, std::uint64_t value,
                        int event_fd) = 0;
    /// Undoes attach() with the same arguments: the guest has moved the register. Any thread.
    virtual void detach(bool pio, std::uint64_t address, unsigned width_bytes, std::uint64_t value,
                        int event_fd) noexcept = 0;
};

} // namespace coldstart
