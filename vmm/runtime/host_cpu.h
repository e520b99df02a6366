// What KVM can show a guest of this host's processor. KVM asks the processor for leaf after leaf;
// where the host is a virtual machine itself each of these is intercepted, and all together take
// half a millisecond, a fifth of a small guest's start. So it is done on another thread while the
// virtual machine is made.
// Threads: control.
#pragma once

#include "vmm/base/reactor.h"
#include "vmm/kvm/cpuid.h"
#include "vmm/kvm/kvm.h"

#include <future>
#include <optional>

namespace coldstart {

struct HostCpu {
    CpuidTable supported; ///< KVM_GET_SUPPORTED_CPUID
    CpuName name;         ///< host_cpu_name()
};

class HostCpuReading {
  public:
    /// Begins, on the thread of `beside`, which runs already; nullptr: result() does it. `kvm`
    /// outlives the reading.
    HostCpuReading(const Kvm& kvm, Reactor* beside);
    /// Waits for the other thread.
    ~HostCpuReading();
    HostCpuReading(const HostCpuReading&) = delete;
    HostCpuReading& operator=(const HostCpuReading&) = delete;

    /// Waits for it. Throws Error when KVM does not tell.
    const HostCpu& result();

  private:
    const Kvm& kvm_;
    std::future<HostCpu> pending_; ///< of the other thread, until it is asked for
    std::optional<HostCpu> result_;
};

} // namespace coldstart
