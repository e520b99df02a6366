// The charts of a benchmark report, as SVG: a row a series.
//   linear   a bar to the median, made of the phases' medians, and a dot a run
//   log      where the runs lie: all of them, the middle half, the median, and a dot a run; for
//            reports whose quickest and slowest are far apart
// Colours come from the page's style sheet, by class.
#pragma once

#include "vmm/cli/bench/report.h"

#include <string>
#include <vector>

namespace coldstart {

std::string linear_chart(const BootReport& report);
std::string log_chart(const BootReport& report);

/// Round values from 0 to at least `max`, at most about eight.
std::vector<double> linear_ticks(double max);
/// 1, 2 and 5 times powers of ten that enclose [min, max]; both above 0.
std::vector<double> log_ticks(double min, double max);

} // namespace coldstart
