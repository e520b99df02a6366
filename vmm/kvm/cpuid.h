// What CPUID tells the guest: the host KVM's table, corrected for this machine.
// Sources: Intel SDM vol. 2A CPUID; AMD APM vol. 3 appendix E; Linux
// Documentation/virt/kvm/x86/cpuid.rst for the leaves from 0x40000000.
//
// Given: topology (leaves 1, 4, 0xB, 0x1F, 0x80000008, 0x8000001D, 0x8000001E: one package,
// one or two threads a core), x2APIC, TSC deadline timer, kvmclock as KVM has it, TSC and APIC timer frequency
// (leaf 0x15 on Intel, 0x40000010 everywhere), the processor's name (0x80000002 to 0x80000004), which
// KVM leaves blank.
// Withheld: VMX and SVM (no nested machines), the PMU, and everything KVM does not support.
// Missing: choosing a CPU model; the guest sees the host's.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace coldstart {

struct CpuidEntry {
    std::uint32_t function = 0;
    std::uint32_t index = 0;
    bool index_matters = false; ///< the leaf has sub-leaves
    std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

using CpuidTable = std::vector<CpuidEntry>;

/// EAX, EBX, ECX and EDX of the leaves 0x80000002 to 0x80000004: 48 characters.
using CpuName = std::array<std::uint32_t, 12>;
/// This host's; zeros if its processor has none.
CpuName host_cpu_name() noexcept;

/// Facts about the machine a vCPU's table is made for.
struct CpuidFacts {
    std::uint32_t apic_id = 0;
    std::uint32_t cpu_count = 1;                 ///< in one package
    bool smt = false;                            ///< 2n and 2n+1 are threads of one core
    std::uint32_t tsc_khz = 0;                   ///< 0: unknown, no frequency leaf is given
    std::uint32_t apic_timer_hz = 1'000'000'000; ///< KVM's LAPIC timer input
    bool tsc_deadline = false;                   ///< KVM_CAP_TSC_DEADLINE_TIMER
    CpuName name = {};                           ///< of the processor, if KVM tells none
};

/// `supported` as KVM gave it, for the vCPU of `facts`. A pure function.
CpuidTable make_cpuid(const CpuidTable& supported, const CpuidFacts& facts);

/// numerator / denominator nearest to value / unit with a numerator of at most `most`.
/// For leaf 0x15, whose ratio Linux multiplies in 32 bits.
struct Ratio {
    std::uint32_t numerator = 0, denominator = 1;
};
Ratio nearest_ratio(std::uint64_t value, std::uint64_t unit, std::uint32_t most) noexcept;

} // namespace coldstart
