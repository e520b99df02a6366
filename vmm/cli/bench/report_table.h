// A benchmark report as text for a terminal.
#pragma once

#include "vmm/cli/bench/report.h"

#include <string>

namespace coldstart {

std::string report_table(const BootReport& report);

/// What was measured and how, a fact a line.
std::string report_facts(const BootReport& report);

/// The phases of a boot that some series tells, in the order of a boot.
std::vector<std::string> phase_names(const BootReport& report);

} // namespace coldstart
