// The map of physical memory a guest is told about: ACPI 6.x section 15 (E820), the same numbers
// in Linux's boot_params, in PVH's start info and in fw_cfg's etc/e820.
#pragma once

#include "vmm/base/gpa.h"

#include <cstdint>
#include <vector>

namespace coldstart {

enum class MemoryKind : std::uint32_t {
    ram = 1,
    reserved = 2,
    acpi_reclaimable = 3,
    acpi_nvs = 4,
};

struct MemoryMapEntry {
    Gpa base;
    std::uint64_t size_bytes = 0;
    MemoryKind kind = MemoryKind::ram;

    Gpa end() const noexcept { return base + size_bytes; }
    bool operator==(const MemoryMapEntry&) const noexcept = default;
};

/// Sorted by base, disjoint.
using MemoryMap = std::vector<MemoryMapEntry>;

} // namespace coldstart
