// Does this KVM run privileged guest code on the CPU, or does it emulate it one instruction at a
// time? The CPU's name does not tell: a guest that counts a register down in ring 0 does, in about
// a millisecond.
#pragma once

#include "vmm/kvm/kvm.h"

#include <cstdint>

namespace coldstart {

struct Ring0Probe {
    std::uint32_t instructions = 0; ///< how many were run
    std::uint64_t nanoseconds = 0;  ///< the quickest of a few tries, or the first quick one

    double instructions_per_us() const noexcept;
    /// Below 20 instructions a microsecond no CPU is at work: hardware and even a software CPU
    /// under the host's kernel reach hundreds, an emulating KVM about two.
    bool emulated() const noexcept { return instructions_per_us() < 20; }
};

/// Runs the guest. Throws Error when KVM can't run even that.
Ring0Probe probe_ring0(const Kvm& kvm);

/// True when CPUID shows neither VMX nor SVM: then KVM may well be an emulating one, and the
/// probe is worth its millisecond.
bool cpu_hides_virtualisation() noexcept;

} // namespace coldstart
