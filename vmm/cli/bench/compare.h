// Two benchmark reports side by side: what changed by more than the noise.
//
// A series has changed if the rank sum test (rank_test.h) gives a probability below
// `significance`. That takes at least five runs on each side; with fewer, a series whose runs are
// all slower, or all quicker, than all runs of the other report and whose median moved by more
// than `apart_share` is called `perhaps`, no more.
#pragma once

#include "vmm/cli/bench/report.h"

#include <string>
#include <vector>

namespace coldstart {

inline constexpr double significance = 0.01;
inline constexpr double apart_share = 0.01;

enum class Change { none, quicker, slower, perhaps_quicker, perhaps_slower, too_few, only_in_one };

struct SeriesChange {
    std::string name;
    Change change = Change::none;
    Summary before, after;  ///< in milliseconds
    double probability = 1; ///< of the rank sum test
};

/// In the order of `before`, then what only `after` has.
std::vector<SeriesChange> compare_reports(const BootReport& before, const BootReport& after);

/// What makes the two hard to compare: another clock, kernel, memory size, ... One line each.
std::vector<std::string> differing_conditions(const BootReport& before, const BootReport& after);

/// Table, verdicts and a summary line.
std::string comparison_text(const BootReport& before, const BootReport& after);

/// The same as JSON, "format": "coldstart-bench-comparison".
std::string comparison_json(const BootReport& before, const BootReport& after);

} // namespace coldstart
