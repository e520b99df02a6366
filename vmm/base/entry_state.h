// How the boot processor stands when it first runs: filled in by a loader, carried out by KVM.
#pragma once

#include "vmm/base/gpa.h"

#include <cstdint>

namespace coldstart {

enum class EntryMode {
    reset,       ///< Intel SDM vol. 3 table 10-1: real mode at F000:FFF0, CS base 0xFFFF0000
    protected32, ///< flat 4 GiB segments, paging off (PVH)
    long64,      ///< flat segments, paging on with `page_table_root` (Linux 64-bit entry)
};

struct EntryState {
    EntryMode mode = EntryMode::reset;
    std::uint64_t rip = 0;
    std::uint64_t rsp = 0;
    std::uint64_t rbx = 0; ///< PVH: address of hvm_start_info
    std::uint64_t rsi = 0; ///< Linux: address of boot_params
    Gpa page_table_root;   ///< CR3, long64 only
    Gpa gdt_base;          ///< where the loader wrote the GDT; unused by `reset`
    std::uint16_t gdt_limit = 0;
    std::uint16_t code_selector = 0;
    std::uint16_t data_selector = 0;
    std::uint16_t task_selector = 0;
};

} // namespace coldstart
