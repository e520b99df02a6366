// What a boot processor needs in memory before its first instruction: a GDT, page tables for long
// mode, the command line. All at the addresses of placement/layout.h.
//
// Selectors follow Linux's 64-bit boot protocol (boot.rst, "64-bit Boot Protocol"): __BOOT_CS
// 0x10, __BOOT_DS 0x18; PVH leaves them open. The task register gets a TSS of base 0 and limit
// 0x67 as PVH wants it; VT-x insists on a busy one.
#pragma once

#include "firmware-loaders/placement/placement.h"
#include "vmm/base/entry_state.h"
#include "vmm/base/gpa.h"

#include <cstdint>
#include <string>

namespace coldstart {

/// Claims what enter_long64() writes.
void claim_long64(Placement& placement);
/// GDT and identity map, and the state that enters `rip` with `rsi` in 64-bit mode.
EntryState enter_long64(const GuestMemory& memory, std::uint64_t rip, Gpa rsi);

/// Claims what enter_protected32() writes.
void claim_protected32(Placement& placement);
/// GDT, and the state that enters `rip` with `rbx` in 32-bit mode without paging.
EntryState enter_protected32(const GuestMemory& memory, std::uint32_t rip, Gpa rbx);

/// Throws UsageError when the command line is longer than `limit_bytes` (its zero not counted) or
/// contains a zero byte.
void check_command_line(const std::string& text, std::uint64_t limit_bytes);
void claim_command_line(Placement& placement, const std::string& text);
void write_command_line(const GuestMemory& memory, const std::string& text);

} // namespace coldstart
