// Guest RAM as anonymous private memory of this process, given by the kernel page by page; or as huge
// pages of 2 MiB, all of them reserved at once.
#pragma once

#include "api/command/vm_config.h"
#include "vmm/base/guest_memory.h"
#include "vmm/machine/layout.h"

#include <span>

namespace coldstart {

/// What the guest's first 2 MiB are: large pages where the host has them, as all else, or small
/// ones, of which the host clears only what is touched.
enum class LowMemory { as_all_else, small_pages };

/// One mapping a range, zeroed. Throws Error when the host has no room for it.
GuestMemory map_guest_ram(std::span<const Range> ranges, HugePages pages = HugePages::none,
                          LowMemory low = LowMemory::as_all_else);

} // namespace coldstart
