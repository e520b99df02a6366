#include "vmm/kvm/kvm.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/kvm/kvm_abi.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/ioctl.h>

namespace coldstart {
namespace {

std::string open_remedy(int error_number) {
    switch (error_number) {
    case ENOENT:
        return "load the module (modprobe kvm_intel or kvm_amd), or enable virtualisation in this "
               "machine's firmware; 'coldstart doctor' tells more";
    case EACCES:
    case EPERM:
        return "add your user to the group that owns it (usually: sudo usermod -aG kvm $USER) and "
               "log in again";
    case ENODEV:
    case ENXIO:
        return "the CPU offers no virtualisation here; enable it in the firmware, or nested "
               "virtualisation if this is a virtual machine";
    default:
        return "'coldstart doctor' tells more";
    }
}

struct Requirement {
    int capability;
    const char* name;
};

constexpr Requirement requirements[] = {
    {KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY"},
    {KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP"},
    {KVM_CAP_PIT2, "KVM_CAP_PIT2"},
    {KVM_CAP_IRQFD, "KVM_CAP_IRQFD"},
    {KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD"},
    {KVM_CAP_IRQ_ROUTING, "KVM_CAP_IRQ_ROUTING"},
    {KVM_CAP_MP_STATE, "KVM_CAP_MP_STATE"},
    {KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"},
    {KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID"},
    {KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR"},
};

} // namespace

Kvm::Kvm(const std::string& device_path)
    : device_path_(device_path), fd_(::open(device_path.c_str(), O_RDWR | O_CLOEXEC)) {
    if (!fd_)
        throw system_error(device_path_, errno, open_remedy(errno));
    const int version = ::ioctl(fd(), KVM_GET_API_VERSION, 0);
    if (version < 0)
        throw Error(device_path_ + ": not a KVM device",
                    "the KVM device is usually /dev/kvm; 'coldstart doctor' tells more");
    if (version != KVM_API_VERSION)
        throw Error(cat(device_path_, ": KVM API version ", version, ", need ", KVM_API_VERSION),
                    "use a Linux kernel newer than 2.6.22");
    require_extensions();
    const int area = ::ioctl(fd(), KVM_GET_VCPU_MMAP_SIZE, 0);
    if (area < static_cast<int>(sizeof(kvm_run)))
        throw system_error(device_path_ + ": KVM_GET_VCPU_MMAP_SIZE", errno);
    vcpu_area_bytes_ = static_cast<std::size_t>(area);
}

void Kvm::require_extensions() const {
    for (const Requirement& requirement : requirements) {
        if (extension(requirement.capability) <= 0)
            throw Error(cat(device_path_, ": this KVM lacks ", requirement.name),
                        "use Linux 4.13 or newer with the full KVM module");
    }
}

int Kvm::extension(int capability) const noexcept {
    const int value = ::ioctl(fd(), KVM_CHECK_EXTENSION, capability);
    return value < 0 ? 0 : value;
}

bool Kvm::has_tsc_deadline() const noexcept {
    return extension(KVM_CAP_TSC_DEADLINE_TIMER) > 0;
}

bool Kvm::has_split_irqchip() const noexcept {
    return extension(KVM_CAP_SPLIT_IRQCHIP) > 0 && extension(KVM_CAP_SIGNAL_MSI) > 0;
}

bool Kvm::has_smm() const noexcept {
    return extension(KVM_CAP_X86_SMM) > 0 && extension(KVM_CAP_MULTI_ADDRESS_SPACE) > 1;
}

unsigned Kvm::max_vcpus() const noexcept {
    const int most = extension(KVM_CAP_MAX_VCPUS);
    // Documented fallbacks: KVM_CAP_NR_VCPUS, then 4.
    const int recommended = extension(KVM_CAP_NR_VCPUS);
    return static_cast<unsigned>(most > 0 ? most : recommended > 0 ? recommended : 4);
}

unsigned Kvm::max_memory_slots() const noexcept {
    const int slots = extension(KVM_CAP_NR_MEMSLOTS);
    return static_cast<unsigned>(slots > 0 ? slots : 32);
}

CpuidTable Kvm::supported_cpuid() const {
    for (std::uint32_t room = 128;; room *= 2) {
        std::vector<std::byte> buffer(sizeof(kvm_cpuid2) + room * sizeof(kvm_cpuid_entry2));
        auto* header = reinterpret_cast<kvm_cpuid2*>(buffer.data());
        header->nent = room;
        if (::ioctl(fd(), KVM_GET_SUPPORTED_CPUID, header) == 0) {
            CpuidTable table;
            for (std::uint32_t i = 0; i < header->nent; ++i) {
                const kvm_cpuid_entry2& entry = header->entries[i];
                table.push_back({entry.function, entry.index,
                                 (entry.flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) != 0, entry.eax,
                                 entry.ebx, entry.ecx, entry.edx});
            }
            return table;
        }
        if (errno != E2BIG || room > 4096)
            throw system_error(device_path_ + ": KVM_GET_SUPPORTED_CPUID", errno);
    }
}

} // namespace coldstart
