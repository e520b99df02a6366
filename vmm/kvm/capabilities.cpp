#include "vmm/kvm/capabilities.h"

#include "vmm/kvm/kvm_abi.h"

namespace coldstart {

std::span<const Capability> known_capabilities() noexcept {
    static constexpr Capability capabilities[] = {
        {KVM_CAP_TSC_DEADLINE_TIMER, "tsc-deadline", "guests use the slower one-shot APIC timer"},
        {KVM_CAP_READONLY_MEM, "readonly-mem", "firmware ROMs can't be protected from writes"},
        {KVM_CAP_X86_SMM, "smm", "no Secure Boot with a protected variable store"},
        {KVM_CAP_GET_TSC_KHZ, "tsc-khz", "guests calibrate the TSC themselves"},
        {KVM_CAP_X2APIC_API, "x2apic-api", "at most 255 vCPUs"},
        {KVM_CAP_SPLIT_IRQCHIP, "split-irqchip", "slower start-up of small machines"},
        {KVM_CAP_DIRTY_LOG_RING, "dirty-ring", "incremental snapshots copy more"},
    };
    return capabilities;
}

} // namespace coldstart
