#include "vmm/kvm/ring0_probe.h"

#include "vmm/base/error.h"
#include "vmm/kvm/kvm_abi.h"
#include "vmm/kvm/vcpu.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include <sys/ioctl.h>
#include <sys/mman.h>
#ifdef __clang__
#define _Bool bool // glibc's header takes it for granted, and clang has it in GNU C++ only
#endif
#include <sys/platform/x86.h>

namespace coldstart {
namespace {

constexpr std::uint16_t rounds = 20000;
constexpr std::uint64_t code_address = 0x1000;
constexpr int most_tries = 8;

// Real mode: mov cx, rounds; again: dec cx; jnz again; out 0x80, al; hlt
constexpr std::uint8_t countdown[] = {0xb9, rounds & 0xff, rounds >> 8, 0x49, 0x75,
                                      0xfd, 0xe6,          0x80,        0xf4};

std::uint64_t now_ns() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
           static_cast<std::uint64_t>(now.tv_nsec);
}

/// A page of zeroed memory at page alignment.
class Page {
  public:
    Page()
        : address_(
              ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
        if (address_ == MAP_FAILED)
            throw system_error("a page of memory", errno);
    }
    ~Page() { ::munmap(address_, size); }
    Page(const Page&) = delete;
    Page& operator=(const Page&) = delete;

    void* get() const noexcept { return address_; }
    static constexpr std::size_t size = 4096;

  private:
    void* address_;
};

} // namespace

double Ring0Probe::instructions_per_us() const noexcept {
    return nanoseconds == 0 ? 1e9 : 1000.0 * instructions / static_cast<double>(nanoseconds);
}

Ring0Probe probe_ring0(const Kvm& kvm) {
    const Page page;
    std::memcpy(page.get(), countdown, sizeof countdown);
    Vm vm(kvm);
    vm.set_memory_slot(0, Gpa(code_address), Page::size, page.get());

    Vcpu vcpu(vm, 0);
    kvm_sregs sregs{};
    if (::ioctl(vcpu.fd(), KVM_GET_SREGS, &sregs) < 0)
        throw system_error("the probe's vCPU: KVM_GET_SREGS", errno);
    sregs.cs.selector = 0;
    sregs.cs.base = 0;
    if (::ioctl(vcpu.fd(), KVM_SET_SREGS, &sregs) < 0)
        throw system_error("the probe's vCPU: KVM_SET_SREGS", errno);

    // The first tries pay for page faults and whatever else warms up; an emulating KVM stays slow.
    Ring0Probe probe{2u * rounds, ~std::uint64_t{0}};
    for (int tries = 0; tries < most_tries && probe.emulated(); ++tries) {
        kvm_regs regs{};
        regs.rip = code_address;
        regs.rflags = 2;
        if (::ioctl(vcpu.fd(), KVM_SET_REGS, &regs) < 0)
            throw system_error("the probe's vCPU: KVM_SET_REGS", errno);
        const std::uint64_t start = now_ns();
        ExitKind kind = ExitKind::interrupted;
        while (kind == ExitKind::interrupted)
            kind = vcpu.run();
        if (kind != ExitKind::io)
            throw Error(kvm.device_path() + ": KVM can't run a guest of five instructions",
                        "look at the host's kernel log (dmesg)");
        probe.nanoseconds = std::min(probe.nanoseconds, now_ns() - start);
    }
    return probe;
}

bool cpu_hides_virtualisation() noexcept {
    // As the C library found it when the process began: in a virtual machine each CPUID is
    // intercepted, and this is asked at every start.
    return !CPU_FEATURE_PRESENT(VMX) && !CPU_FEATURE_PRESENT(SVM);
}

} // namespace coldstart
