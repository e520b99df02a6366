#include "vmm/cli/bench/bench.h"

#include "vmm/cli/bench/boot_bench.h"
#include "vmm/cli/bench/compare.h"
#include "vmm/cli/bench/input_file.h"
#include "vmm/cli/bench/output_file.h"
#include "vmm/cli/bench/report_json.h"
#include "vmm/cli/bench/timeline_verb.h"

#include <algorithm>
#include <cstdio>

namespace coldstart {
namespace {

constexpr int something_is_slower = 5;

BootReport read_report(const std::string& path) {
    return report_from_json(
        read_input_file(path, "give a file that 'coldstart bench boot --json' wrote"), path);
}

int bench_compare(const BenchCommand& command) {
    const BootReport before = read_report(command.arguments[0]);
    const BootReport after = read_report(command.arguments[1]);
    OutputFile json("--json", command.json_path);
    if (json.wanted())
        json.write(comparison_json(before, after));
    std::fputs(comparison_text(before, after).c_str(), stdout);
    std::fflush(stdout);
    const std::vector<SeriesChange> changes = compare_reports(before, after);
    return std::any_of(changes.begin(), changes.end(),
                       [](const SeriesChange& series) { return series.change == Change::slower; })
               ? something_is_slower
               : 0;
}

} // namespace

int run_bench(const BenchCommand& command) {
    if (command.verb == "timeline")
        return bench_timeline(command);
    return command.verb == "boot" ? bench_boot(command) : bench_compare(command);
}

} // namespace coldstart
