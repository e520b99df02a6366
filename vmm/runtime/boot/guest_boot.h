// How a machine comes to its first instruction: which board and address layout it needs, and what
// stands in memory and registers when the boot processor starts, the first time and after each
// reset. One class a way: a kernel entered directly, or firmware from the reset vector.
// Threads: the control thread.
#pragma once

#include "api/command/vm_config.h"
#include "vmm/base/entry_state.h"
#include "vmm/base/guest_memory.h"
#include "vmm/machine/board.h"
#include "vmm/machine/layout.h"
#include "vmm/machine/machine.h"

#include <memory>
#include <vector>

namespace coldstart {

class Kvm;

class GuestBoot {
  public:
    virtual ~GuestBoot() = default;

    virtual const AddressLayout& layout() const noexcept = 0;
    virtual std::vector<BoardDevice> board() const = 0;

    /// Adds what the board's devices want of this way to boot: firmware, items for it. `memory` is
    /// that of layout(); both outlive the machine made from `host`.
    virtual void equip(MachineHost& host) = 0;

    /// Everything in RAM that a start from power-on state needs; how the boot processor begins.
    virtual EntryState prepare(Machine& machine, const GuestMemory& memory) = 0;

    /// Where no firmware sets up the boot processor, that is the monitor's part.
    virtual bool wants_firmware_defaults() const noexcept = 0;

    /// The processors have system management mode, and the board what belongs to it.
    virtual bool has_smm() const noexcept { return false; }

    /// Hardly any of the guest's first 2 MiB will be touched: what boots there is small, and starts
    /// sooner if the host does not clear a large page first.
    virtual bool leaves_low_memory_alone() const noexcept { return false; }

    /// The reset that the guest has just asked for was the end of a panic.
    virtual bool reset_follows_panic(const GuestMemory& memory) const noexcept = 0;

    /// A triple fault is a reset, as on a PC whose chipset sees the processor shut down; else it
    /// is a crash.
    virtual bool triple_fault_resets() const noexcept = 0;
};

/// What the configuration asks for. Opens and checks the files that can be checked without guest
/// memory. Throws Error or UsageError.
std::unique_ptr<GuestBoot> make_guest_boot(const VmConfig& config, const Kvm& kvm);

} // namespace coldstart
