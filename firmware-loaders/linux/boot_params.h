// Linux's boot_params, the "zero page" (Documentation/arch/x86/zero-page.rst): what a kernel
// entered by the 64-bit boot protocol learns about its machine.
//
// Missing: screen_info stays zero (no VGA text console: nothing probed video modes), setup_data
// (no EFI, device tree or random seed is handed over), EDD and APM.
#pragma once

#include "firmware-loaders/initrd/initrd.h"
#include "vmm/base/bytes.h"
#include "vmm/base/gpa.h"
#include "vmm/base/guest_memory.h"
#include "vmm/base/memory_map.h"

#include <cstdint>
#include <optional>

namespace coldstart {

/// COMMAND_LINE_SIZE of x86 Linux, less the terminating zero.
inline constexpr std::uint64_t linux_command_line_bytes = 2047;

struct LinuxHandover {
    ByteView setup_header; ///< from a bzImage; empty: one is made up for a bare vmlinux
    Gpa load_address;      ///< of the protected-mode part or the kernel
    Gpa command_line;
    std::optional<InitrdRange> initrd;
    Gpa rsdp;
    const MemoryMap& map;
};

/// Throws Error when a map has more entries than a boot structure holds (128).
void check_memory_map(const MemoryMap& map);

/// Writes it at layout::boot_params, which the caller has claimed.
void write_boot_params(const GuestMemory& memory, const LinuxHandover& handover);

} // namespace coldstart
