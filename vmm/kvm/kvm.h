// The host's KVM: /dev/kvm, its capabilities and what it can present as a CPU.
// Source: Linux Documentation/virt/kvm/api.rst, the system ioctls (section 4).
// Threads: constant after construction; any thread.
#pragma once

#include "vmm/base/unique_fd.h"
#include "vmm/kvm/cpuid.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace coldstart {

class Kvm {
  public:
    /// Opens the device and checks what the monitor can't do without. Throws Error saying what is
    /// missing and the remedy.
    explicit Kvm(const std::string& device_path = "/dev/kvm");

    int fd() const noexcept { return fd_.get(); }
    const std::string& device_path() const noexcept { return device_path_; }

    /// KVM_CHECK_EXTENSION: 0 when absent. `capability` is a KVM_CAP_ number.
    int extension(int capability) const noexcept;

    bool has_tsc_deadline() const noexcept;
    bool has_split_irqchip() const noexcept;
    /// System management mode, with an address space of its own.
    bool has_smm() const noexcept;
    /// Size of the area shared with the kernel that every vCPU maps.
    std::size_t vcpu_area_bytes() const noexcept { return vcpu_area_bytes_; }
    unsigned max_vcpus() const noexcept;
    unsigned max_memory_slots() const noexcept;

    /// KVM_GET_SUPPORTED_CPUID.
    CpuidTable supported_cpuid() const;

  private:
    void require_extensions() const;

    std::string device_path_;
    UniqueFd fd_;
    std::size_t vcpu_area_bytes_ = 0;
};

} // namespace coldstart
