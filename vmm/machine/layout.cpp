#include "vmm/machine/layout.h"

#include "api/command/vm_config.h"
#include "devices/q35/smram.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>

namespace coldstart {

namespace {

void check_size(std::uint64_t memory_bytes) {
    if (memory_bytes < min_memory_bytes || memory_bytes > max_memory_bytes)
        throw UsageError(cat("memory of ", format_byte_size(memory_bytes), ": not between ",
                             format_byte_size(min_memory_bytes), " and ",
                             format_byte_size(max_memory_bytes)));
    if (memory_bytes % page_size_bytes != 0)
        throw UsageError(cat("memory of ", memory_bytes, " bytes: not a multiple of 4K"));
}

MemoryMapEntry entry(Gpa base, Gpa end, MemoryKind kind) {
    return {base, end - base, kind};
}

} // namespace

AddressLayout micro_layout(std::uint64_t memory_bytes) {
    check_size(memory_bytes);
    const std::uint64_t below_bytes = std::min(memory_bytes, layout::hole.value);
    const std::uint64_t above_bytes = memory_bytes - below_bytes;

    AddressLayout made;
    made.ram = made.shown = {{Gpa(0), below_bytes}};
    made.e820 = {
        entry(Gpa(0), layout::ebda, MemoryKind::ram),
        entry(layout::ebda, layout::legacy_hole, MemoryKind::reserved),
        entry(layout::acpi_tables, layout::high_ram, MemoryKind::reserved),
        entry(layout::high_ram, Gpa(below_bytes), MemoryKind::ram),
        {layout::kvm_identity_map, layout::kvm_pages_bytes, MemoryKind::reserved},
    };
    if (above_bytes != 0) {
        made.ram.push_back({layout::hole_end, above_bytes});
        made.shown.push_back(made.ram.back());
        made.e820.push_back({layout::hole_end, above_bytes, MemoryKind::ram});
    }
    made.rsdp = layout::acpi_tables;
    made.acpi_tables = {layout::acpi_tables, layout::high_ram - layout::acpi_tables};
    return made;
}

AddressLayout pc_layout(std::uint64_t memory_bytes, bool has_smm) {
    check_size(memory_bytes);
    const std::uint64_t below_bytes =
        memory_bytes > layout::pci_hole.value ? layout::pci_hole_large.value : memory_bytes;
    const std::uint64_t above_bytes = memory_bytes - below_bytes;
    const std::uint64_t tseg_room = has_smm ? Smram::tseg_room_bytes(below_bytes) : 0;

    AddressLayout made;
    made.ram = {{Gpa(0), below_bytes}};
    made.shown = {{Gpa(0), layout::legacy_hole.value},
                  {layout::high_ram, below_bytes - layout::high_ram.value - tseg_room}};
    made.e820 = {entry(Gpa(0), Gpa(below_bytes), MemoryKind::ram),
                 {layout::kvm_identity_map, layout::kvm_pages_bytes, MemoryKind::reserved}};
    if (above_bytes != 0) {
        made.ram.push_back({layout::hole_end, above_bytes});
        made.shown.push_back(made.ram.back());
        made.e820.push_back({layout::hole_end, above_bytes, MemoryKind::ram});
    }
    return made;
}

} // namespace coldstart
