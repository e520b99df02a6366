// A benchmark report as one page: a chart, the table, what was measured and every command. Self
// contained: no script, nothing loaded. Light and dark.
#pragma once

#include "vmm/cli/bench/report.h"

#include <string>

namespace coldstart {

std::string report_html(const BootReport& report);

} // namespace coldstart
