// From what happened to what it means: the marks that only the whole story tells, and the phases
// that a boot is made of. Pure functions; docs/timeline.md has the rules in words.
//
// Both look at the first boot alone: what comes after the first reset is one phase.
// Threads: any.
#pragma once

#include "vmm/runtime/timeline/recorder.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace coldstart {

/// What of the machine decides how its events are read.
struct BootShape {
    bool firmware = false; ///< it began at the reset vector, not at a kernel's entry
    bool uefi = false;     ///< and that firmware is UEFI's
    bool kernel_by_fw_cfg = false;
};

/// Adds kernel_entry of a kernel entered directly, efi_handover and init, where they can be told.
/// `events` are in the order of time, before and after.
std::vector<TimelineEvent> with_derived_marks(std::vector<TimelineEvent> events,
                                              const BootShape& shape);

struct TimelinePhase {
    std::string_view name;  ///< "firmware"
    std::string_view title; ///< for people
    std::uint64_t start_ns = 0;
    std::uint64_t end_ns = 0;
};

/// Of events with their derived marks: phases one after the other without gaps from `start_ns` to
/// `end_ns`, none of them empty.
std::vector<TimelinePhase> timeline_phases(const std::vector<TimelineEvent>& events,
                                           const BootShape& shape, std::uint64_t start_ns,
                                           std::uint64_t end_ns);

} // namespace coldstart
