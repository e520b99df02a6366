// What the machine asks of the hypervisor when it wires devices: interrupt lines that lead to a
// GSI, and guest writes that signal an eventfd without leaving the kernel. vmm/kvm implements
// both; tests use fakes.
// Threads: the control thread, while the vCPUs stand still.
#pragma once

#include "vmm/base/irq_line.h"

#include <cstdint>
#include <memory>

namespace coldstart {

class IrqRouter {
  public:
    virtual ~IrqRouter() = default;

    /// A line that drives `gsi`; throws Error when the hypervisor refuses. The line must not
    /// outlive the router.
    virtual std::unique_ptr<IrqLine> connect(std::uint32_t gsi, bool edge_triggered) = 0;
};

/// KVM's ioeventfd.
class DoorbellRegistry {
  public:
    virtual ~DoorbellRegistry() = default;

    /// From now on a guest write of `width_bytes` bytes equal to `value` at `address` (a port when
    /// `pio`, else a GPA) signals `event_fd`, which stays the device's. Throws Error when the
    /// hypervisor refuses.
    virtual void attach(bool pio, std::uint64_t address, unsigned width_bytes, std::uint64_t value,
                        int event_fd) = 0;
};

} // namespace coldstart
