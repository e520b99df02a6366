// Where the loaders put what they write for the guest themselves: fixed addresses in low memory,
// one table. All of it lies in the first RAM entry of any PC-like map (0..0x9fc00), above the
// real-mode vectors and the BIOS data area (0..0x500) and below 0x80000, so that the extended BIOS
// data area, the ACPI root pointer and the legacy video range stay free. A kernel reserves or has
// copied what it still needs before it reuses any of this.
#pragma once

#include "vmm/base/gpa.h"

#include <cstdint>

namespace coldstart::layout {

struct Range {
    Gpa base;
    std::uint64_t size_bytes;
};

/// Six 8-byte descriptors, up to the 16-byte TSS at 0x20; directly above the BIOS data area.
inline constexpr Range gdt{Gpa(0x500), 0x100};

/// hvm_start_info, its module list and its memory map of up to 128 entries: below one page.
inline constexpr Range pvh_start_info{Gpa(0x6000), 0x1000};
inline constexpr Gpa pvh_module_list{0x6040};
inline constexpr Gpa pvh_memory_map{0x6080};

/// Linux's "zero page"; one page by definition (Documentation/arch/x86/zero-page.rst).
inline constexpr Range boot_params{Gpa(0x7000), 0x1000};

/// Neither protocol promises a stack; one page spares a tiny guest from setting one up before its
/// first call.
inline constexpr Range boot_stack{Gpa(0x8000), 0x1000};

/// PML4, PDPT and four page directories of 2 MiB pages: the first 4 GiB, identity-mapped. Not
/// 1 GiB pages: not every CPU has them.
inline constexpr Range page_tables{Gpa(0x9000), 0x6000};

/// The command line and its terminating zero; far more than any Linux takes (2 KiB).
inline constexpr Range command_line{Gpa(0x20000), 0x10000};

} // namespace coldstart::layout
