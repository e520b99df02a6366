// The phases of a boot out of the timeline that `coldstart run --timeline` writes
// (docs/timeline.md).
#pragma once

#include "vmm/cli/bench/report.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace coldstart {

/// How long each phase took, up to the moment the guest was ready; together they are `ready_ns`
/// long. What came before the timeline's start, the spawn, belongs to the first. Nothing when the
/// text is no timeline. `spawn_ns` is CLOCK_MONOTONIC, `ready_ns` counts from it.
std::vector<PhaseTime> timeline_phases(std::string_view timeline, std::uint64_t spawn_ns,
                                       std::uint64_t ready_ns);

} // namespace coldstart
