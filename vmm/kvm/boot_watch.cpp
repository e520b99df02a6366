#include "vmm/kvm/boot_watch.h"

#include "vmm/kvm/kvm_abi.h"
#include "vmm/kvm/vm.h"

#include <cstddef>
#include <utility>

#include <sys/ioctl.h>

namespace coldstart {
namespace {

constexpr std::uint64_t boot_sector_address = 0x7c00;
// Debug control register: Intel SDM vol. 3 section 18.2.4. Breakpoint 0: on execution, one byte.
constexpr std::uint64_t dr7_enable_0 = 1u << 1;
constexpr std::uint64_t dr7_always_one = 1u << 10;
constexpr std::uint32_t msr_gs_base = 0xc0000101;

} // namespace

MsrWatch::MsrWatch(const Vm& vm) noexcept : vm_(vm) {
    kvm_enable_cap exits{};
    exits.cap = KVM_CAP_X86_USER_SPACE_MSR;
    exits.args[0] = KVM_MSR_EXIT_REASON_FILTER;
    if (::ioctl(vm_.fd(), KVM_ENABLE_CAP, &exits) < 0)
        return;
    std::uint8_t allowed = 0; // a bit an MSR
    kvm_msr_filter filter{};
    filter.flags = KVM_MSR_FILTER_DEFAULT_ALLOW;
    filter.ranges[0] = {KVM_MSR_FILTER_WRITE, 1, msr_gs_base, &allowed};
    set_ = ::ioctl(vm_.fd(), KVM_X86_SET_MSR_FILTER, &filter) == 0;
}

void MsrWatch::end() noexcept {
    if (!set_.exchange(false))
        return;
    kvm_msr_filter everything{};
    everything.flags = KVM_MSR_FILTER_DEFAULT_ALLOW;
    ::ioctl(vm_.fd(), KVM_X86_SET_MSR_FILTER, &everything);
}

BootWatch::BootWatch(int vcpu_fd, bool boot_processor, std::shared_ptr<MsrWatch> msrs,
                     MilestoneSink& milestones) noexcept
    : vcpu_fd_(vcpu_fd), boot_processor_(boot_processor), msrs_(std::move(msrs)),
      milestones_(milestones) {
    // Without the other step nothing would take the breakpoint away from a kernel.
    if (boot_processor_ && msrs_->set())
        breakpoint_set_ = break_at_boot_sector(true);
}

bool BootWatch::break_at_boot_sector(bool enable) noexcept {
    kvm_guest_debug debug{};
    if (enable) {
        debug.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP;
        debug.arch.debugreg[0] = boot_sector_address;
        debug.arch.debugreg[7] = dr7_always_one | dr7_enable_0;
    }
    return ::ioctl(vcpu_fd_, KVM_SET_GUEST_DEBUG, &debug) == 0;
}

bool BootWatch::write_msr(std::uint32_t index, std::uint64_t value) noexcept {
    alignas(kvm_msrs) std::byte buffer[sizeof(kvm_msrs) + sizeof(kvm_msr_entry)]{};
    auto* msrs = reinterpret_cast<kvm_msrs*>(buffer);
    msrs->nmsrs = 1;
    msrs->entries[0].index = index;
    msrs->entries[0].data = value;
    return ::ioctl(vcpu_fd_, KVM_SET_MSRS, msrs) == 1;
}

bool BootWatch::took(kvm_run& run) noexcept {
    const bool at_breakpoint = run.exit_reason == KVM_EXIT_DEBUG && breakpoint_set_;
    const bool at_msr = run.exit_reason == KVM_EXIT_X86_WRMSR;
    if (!at_breakpoint && !at_msr)
        return false;
    if (at_msr) {
        run.msr.error = write_msr(run.msr.index, run.msr.data) ? 0 : 1; // else the guest gets #GP
        if (!boot_processor_)
            return true;
        msrs_->end();
    }
    if (std::exchange(breakpoint_set_, false))
        break_at_boot_sector(false);
    milestones_.reached(at_msr ? Milestone::kernel_entry : Milestone::boot_sector);
    return true;
}

} // namespace coldstart
