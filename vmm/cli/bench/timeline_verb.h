// coldstart bench timeline: what `coldstart run --timeline FILE.json` wrote (docs/timeline.md), one
// run or two beside each other, as a table of the phases and as a page for a browser.
// Missing: timelines inside pages; the page itself takes those as its second run.
// Threads: one.
#pragma once

#include "vmm/cli/bench/bench.h"
#include "vmm/cli/bench/report.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace coldstart {

struct TimelineSummary {
    std::vector<PhaseTime> phases; ///< in the order of the file
    PhaseTime whole{"all", 0};     ///< from the start of the process to its end
};

/// Throws Error unless `text` is a timeline that the page can show. `name` is the file's.
TimelineSummary timeline_summary(std::string_view text, const std::string& name);

/// A table of one or two.
std::string timelines_text(std::span<const TimelineSummary> timelines);

/// The table on stdout, the page in the file of --html. The exit status. Throws Error.
int bench_timeline(const BenchCommand& command);

} // namespace coldstart
