#include "vmm/cli/bench/bench.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/cli/bench/boot_bench.h"
#include "vmm/cli/bench/compare.h"
#include "vmm/cli/bench/output_file.h"
#include "vmm/cli/bench/report_json.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace coldstart {
namespace {

constexpr std::uintmax_t max_report_bytes = 256 * MiB;
constexpr int something_is_slower = 5;

BootReport read_report(const std::string& path) {
    std::error_code error;
    const std::uintmax_t size_bytes = std::filesystem::file_size(path, error);
    if (error)
        throw system_error(printable(path), error.value(),
                           "give a file that 'coldstart bench boot --json' wrote");
    if (size_bytes > max_report_bytes)
        throw Error(cat(printable(path), ": ", size_bytes, " bytes are no benchmark report"),
                    "give a file that 'coldstart bench boot --json' wrote");
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file)
        throw system_error(printable(path), errno, "give a file that can be read");
    return report_from_json(text.str(), path);
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
    return command.verb == "boot" ? bench_boot(command) : bench_compare(command);
}

} // namespace coldstart
