// Guest RAM as anonymous private memory of this process, given by the kernel page by page.
#pragma once

#include "vmm/base/guest_memory.h"
#include "vmm/base/memory_map.h"

#include <span>

namespace coldstart {

struct RamRange {
    Gpa base;
    std::uint64_t size_bytes = 0;
};

/// One mapping a range, zeroed. Throws Error when the host has no room for it.
GuestMemory map_guest_ram(std::span<const RamRange> ranges);

} // namespace coldstart
