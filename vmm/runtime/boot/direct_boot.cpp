#include "vmm/runtime/boot/direct_boot.h"

#include "api/command/guest_command_line.h"
#include "firmware-loaders/boot_plan.h"
#include "firmware-loaders/identify/kernel_info.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/log.h"
#include "vmm/base/text.h"
#include "vmm/kvm/ring0_probe.h"
#include "vmm/runtime/boot/panic_mark.h"
#include "vmm/tables/acpi_tables.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include <sys/stat.h>

namespace coldstart {
namespace {

BootProtocol protocol_of(BootMode mode) noexcept {
    switch (mode) {
    case BootMode::linux64:
        return BootProtocol::linux64;
    case BootMode::pvh:
        return BootProtocol::pvh;
    case BootMode::automatic:
    case BootMode::firmware:
        break;
    }
    return BootProtocol::automatic;
}

LoadMethod method_of(LoadMode mode) noexcept {
    switch (mode) {
    case LoadMode::copy:
        return LoadMethod::copy;
    case LoadMode::map:
        return LoadMethod::map;
    case LoadMode::automatic:
        break;
    }
    return LoadMethod::automatic;
}

void refuse_emulated_linux(const std::string& kernel_path, const Kvm& kvm) {
    if (!cpu_hides_virtualisation() || std::getenv("COLDSTART_ALLOW_EMULATED_KVM") != nullptr)
        return;
    const std::vector<BootProtocol> protocols = identify_kernel(kernel_path).protocols;
    const bool is_linux =
        std::find(protocols.begin(), protocols.end(), BootProtocol::linux64) != protocols.end();
    if (is_linux && probe_ring0(kvm).emulated())
        throw Error(kvm.device_path() +
                        ": this KVM emulates kernel code instruction by instruction and can't "
                        "run Linux",
                    "use a host with VT-x or AMD-V, or the lab (scripts/lab); 'coldstart doctor' "
                    "tells more");
}

/// Less than any Linux of today takes, packed or not.
bool is_small_file(const std::string& path) {
    constexpr off_t small_bytes = 1 * MiB;
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 && status.st_size < small_bytes;
}

} // namespace

DirectBoot::DirectBoot(const VmConfig& config, const Kvm& kvm)
    : config_(config), is_small_(is_small_file(config.kernel_path)),
      layout_(micro_layout(config.memory_bytes)) {
    refuse_emulated_linux(config.kernel_path, kvm);
    const auto folder =
        config.kernel_cache_path ? config.kernel_cache_path : KernelCache::default_folder();
    // Who names a folder wants to know when it is of no use.
    if (folder && !folder->empty())
        cache_.emplace(*folder, KernelCache::default_limit_bytes,
                       config.kernel_cache_path ? LogLevel::warn : LogLevel::debug);
}

EntryState DirectBoot::prepare(Machine& machine, const GuestMemory& memory) {
    std::vector<std::uint32_t> apic_ids(config_.cpus);
    std::iota(apic_ids.begin(), apic_ids.end(), 0u);
    AcpiInputs facts{.devices = machine.devices(),
                     .apic_ids = apic_ids,
                     .base = layout_.rsdp,
                     .room_bytes = layout_.acpi_tables.size_bytes};
    if (!has_fixed_acpi(config_)) {
        // There are 8259s and a PIT, but a kernel that knows of none sets up none.
        facts.has_pics = false;
        facts.pit_gsi.reset();
    }
    const AcpiTables tables = build_acpi(facts);
    if (!memory.write(tables.rsdp, tables.bytes))
        throw Error("the ACPI tables do not fit below 1 MiB");
    const std::string command_line = guest_command_line(config_);
    panics_are_marked_ = panics_reset_warm(command_line);
    panic_mark::clear(memory);
    const BootPlan plan = load_kernel({.memory = memory,
                                       .map = layout_.e820,
                                       .rsdp = tables.rsdp,
                                       .kernel_path = config_.kernel_path,
                                       .initrd_path = config_.initrd_path,
                                       .command_line = command_line,
                                       .protocol = protocol_of(config_.boot),
                                       .method = method_of(config_.load),
                                       .cache = cache_ ? &*cache_ : nullptr});
    log_info(plan.description);
    for (const LoadedPart& part : plan.parts)
        log_debug(cat(part.name, " at ", hex(part.base.value), ", ", part.size_bytes, " bytes"));
    return plan.entry;
}

bool DirectBoot::reset_follows_panic(const GuestMemory& memory) const noexcept {
    return panics_are_marked_ && panic_mark::is_set(memory);
}

} // namespace coldstart
