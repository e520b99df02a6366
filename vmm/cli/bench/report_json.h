// A benchmark report as JSON, "format": "coldstart-bench" (docs/benchmark.md has the members).
#pragma once

#include "vmm/cli/bench/report.h"

#include <string>
#include <string_view>

namespace coldstart {

std::string report_to_json(const BootReport& report);

/// Of a file that anybody may have written. `name` is the file's, for the Error thrown when it is
/// no such report. Unknown members are passed over.
BootReport report_from_json(std::string_view text, const std::string& name);

} // namespace coldstart
