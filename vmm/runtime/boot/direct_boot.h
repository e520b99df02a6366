// A kernel entered directly on board micro: ACPI tables and kernel are placed in RAM, and the boot
// processor begins at the kernel's entry.
#pragma once

#include "firmware-loaders/kernel_cache/kernel_cache.h"
#include "vmm/runtime/boot/guest_boot.h"

#include <optional>

namespace coldstart {

class DirectBoot final : public GuestBoot {
  public:
    /// Refuses a Linux kernel on a KVM that can't run it. Throws Error.
    DirectBoot(const VmConfig& config, const Kvm& kvm);

    const AddressLayout& layout() const noexcept override { return layout_; }
    std::vector<BoardDevice> board() const override { return micro_board(config_); }
    void equip(MachineHost&) override {}
    EntryState prepare(Machine& machine, const GuestMemory& memory) override;
    bool wants_firmware_defaults() const noexcept override { return true; }
    bool leaves_low_memory_alone() const noexcept override { return is_small_; }
    bool reset_follows_panic(const GuestMemory& memory) const noexcept override;
    bool triple_fault_resets() const noexcept override { return false; }

  private:
    const VmConfig& config_;
    const bool is_small_; ///< the kernel
    AddressLayout layout_;
    std::optional<KernelCache> cache_;
    bool panics_are_marked_ = false;
};

} // namespace coldstart
