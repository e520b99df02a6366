#include "vmm/cli/bench/bench_host.h"

#include "vmm/base/text.h"
#include "vmm/kvm/kvm.h"
#include "vmm/kvm/ring0_probe.h"

#include <cstdlib>
#include <string_view>

#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace coldstart {

BenchClock bench_clock() {
    const char* const clock = std::getenv("COLDSTART_LAB_CLOCK");
    if (clock != nullptr && std::string_view(clock) == "instructions")
        return BenchClock::lab_instructions;
    return std::getenv("IN_LAB") != nullptr ? BenchClock::lab : BenchClock::monotonic;
}

std::string bench_kvm_kind() {
    const Kvm kvm;
    return cpu_hides_virtualisation() && probe_ring0(kvm).emulated() ? "emulating" : "hardware";
}

void stay_in_memory() noexcept {
    // Without the privilege the figures are a little less exact.
    [[maybe_unused]] const int locked = ::mlockall(MCL_CURRENT);
}

std::string host_text() {
    utsname name{};
    ::uname(&name);
    return cat(name.sysname, ' ', name.release, ", ", ::sysconf(_SC_NPROCESSORS_ONLN), " CPUs");
}

} // namespace coldstart
