// A benchmark report as text for a terminal.
#pragma once

#include "vmm/cli/bench/report.h"

#include <string>
#include <string_view>
#include <vector>

namespace coldstart {

std::string report_table(const BootReport& report);

struct Fact {
    std::string_view name;
    std::string text; ///< from outside: to be made printable
};

/// What was measured and how, as far as it is known.
std::vector<Fact> measured_facts(const BootReport& report);

/// The same, a fact a line.
std::string report_facts(const BootReport& report);

/// The phases of a boot that some series tells, in the order of a boot.
std::vector<std::string> phase_names(const BootReport& report);

} // namespace coldstart
