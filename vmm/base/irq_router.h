// How the board turns wiring facts (a GSI, a doorbell address) into something that works: the
// hypervisor's side of interrupts in and kicks out, seen by vmm/machine without KVM.
#pragma once

#include "vmm/base/irq_line.h"

#include <cstdint>
#include <memory>

namespace coldstart {

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
};

} // namespace coldstart
