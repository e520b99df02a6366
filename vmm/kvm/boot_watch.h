// Two steps of a guest that boots by firmware and that cause no exit by themselves:
//
// - the boot sector: a hardware breakpoint on execution at linear address 0x7c00, on the boot
//   processor alone (KVM_SET_GUEST_DEBUG). It is gone once it was hit, and at the kernel's entry
//   at the latest: while it is there the guest's own debug registers are without effect.
// - the kernel's entry: the first write to the MSR GS_BASE (KVM_X86_SET_MSR_FILTER). A 64-bit
//   kernel sets up per-CPU data with it before anything else that could be seen; firmware and boot
//   loaders have no use for it. The write is carried out for the guest and the filter taken away.
//
// Each costs one exit. What this host's KVM can't do is not watched for, in silence.
// Sources: Linux Documentation/virt/kvm/api.rst, sections 4.87 (KVM_SET_GUEST_DEBUG), 4.97
// (KVM_X86_SET_MSR_FILTER) and 7.21 (KVM_CAP_X86_USER_SPACE_MSR); Linux arch/x86/kernel/head_64.S.
// Missing: kernels of 32 bits have no such step and are not seen.
//
// Threads: begin on the control thread before the vCPU runs; took on the vCPU's own.
#pragma once

#include "vmm/base/milestone.h"

#include <atomic>
#include <memory>

struct kvm_run;

namespace coldstart {

class Vm;

/// What the vCPUs of one virtual machine share: whether its kernel was seen.
class MsrWatch {
  public:
    /// Sets the filter. `vm` outlives it.
    explicit MsrWatch(const Vm& vm) noexcept;
    bool set() const noexcept { return set_.load(std::memory_order_relaxed); }
    void end() noexcept;

  private:
    const Vm& vm_;
    std::atomic<bool> set_{false};
};

class BootWatch {
  public:
    /// `vcpu_fd` stays open. Only the boot processor's steps are told.
    BootWatch(int vcpu_fd, bool boot_processor, std::shared_ptr<MsrWatch> msrs,
              MilestoneSink& milestones) noexcept;

    /// True when the exit in `run` is one of ours: it is dealt with, and the guest may go on.
    bool took(kvm_run& run) noexcept;

  private:
    bool break_at_boot_sector(bool enable) noexcept;
    bool write_msr(std::uint32_t index, std::uint64_t value) noexcept;

    const int vcpu_fd_;
    const bool boot_processor_;
    bool breakpoint_set_ = false;
    std::shared_ptr<MsrWatch> msrs_;
    MilestoneSink& milestones_;
};

} // namespace coldstart
