#include "vmm/cli/bench/report_table.h"

#include "vmm/base/byte_size.h"
#include "vmm/base/text.h"
#include "vmm/cli/bench/text_table.h"

#include <algorithm>
#include <array>

namespace coldstart {
namespace {

constexpr std::array<std::string_view, 6> boot_order{"setup",      "load",   "firmware",
                                                     "bootloader", "kernel", "init"};

std::size_t place_of(std::string_view phase) {
    return static_cast<std::size_t>(std::find(boot_order.begin(), boot_order.end(), phase) -
                                    boot_order.begin());
}

std::vector<std::string> figures(const BootSeries& series, const std::vector<std::string>& phases) {
    const Summary summary = summarize(series.ready_ms());
    std::vector<std::string> row{series.name};
    if (summary.count == 0) {
        row.insert(row.end(), 5, "-");
    } else {
        for (const double ms :
             {summary.median, summary.p99, summary.min, summary.max, summary.spread()})
            row.push_back(ms_text(ms));
    }
    const std::size_t failures = series.failures();
    row.push_back(failures == 0 ? cat(summary.count)
                                : cat(summary.count, " (", failures, " failed)"));
    const auto medians = series.phase_medians_ms();
    for (const std::string& phase : phases) {
        const auto found = std::find_if(medians.begin(), medians.end(),
                                        [&](const auto& median) { return median.first == phase; });
        row.push_back(found == medians.end() ? "-" : ms_text(found->second));
    }
    return row;
}

/// The last reason why a run of the series did not become ready.
std::string last_problem(const BootSeries& series) {
    for (auto run = series.runs.rbegin(); run != series.runs.rend(); ++run) {
        if (run->outcome != RunOutcome::ready)
            return run->problem;
    }
    return "";
}

} // namespace

std::vector<std::string> phase_names(const BootReport& report) {
    std::vector<std::string> names;
    for (const BootSeries& series : report.series) {
        for (const auto& [name, ms] : series.phase_medians_ms()) {
            if (std::find(names.begin(), names.end(), name) == names.end())
                names.push_back(name);
        }
    }
    std::stable_sort(names.begin(), names.end(),
                     [](const auto& a, const auto& b) { return place_of(a) < place_of(b); });
    return names;
}

std::vector<Fact> measured_facts(const BootReport& report) {
    std::vector<Fact> facts{{"kernel", report.kernel}, {"initrd", report.initrd}};
    for (const std::string& disk : report.disks)
        facts.push_back({"disk", disk});
    facts.push_back({"cmdline", report.command_line});
    facts.push_back({"guest", cat(report.cpus, report.cpus == 1 ? " CPU, " : " CPUs, ",
                                  format_byte_size(report.memory_bytes))});
    facts.push_back({"ready", report.ready});
    facts.push_back({"host", cat(report.host, ", KVM: ", report.kvm_kind)});
    facts.push_back({"clock", clock_text(report.clock)});
    std::erase_if(facts, [](const Fact& fact) { return fact.text.empty(); });
    return facts;
}

std::string report_facts(const BootReport& report) {
    constexpr std::size_t name_columns = 10;
    std::string out;
    for (const auto& [name, text] : measured_facts(report))
        out += cat(name, std::string(name_columns - name.size(), ' '), printable(text, 400), '\n');
    return out;
}

std::string report_table(const BootReport& report) {
    const std::vector<std::string> phases = phase_names(report);
    std::vector<std::vector<std::string>> rows{
        {"ms to ready", "median", "p99", "min", "max", "spread", "runs"}};
    rows.front().insert(rows.front().end(), phases.begin(), phases.end());
    std::string notes;
    for (const BootSeries& series : report.series) {
        if (series.skipped.empty() || !series.runs.empty())
            rows.push_back(figures(series, phases));
        if (!series.skipped.empty())
            notes += cat(series.runs.empty() ? "skipped  " : "failed   ", series.name, ": ",
                         series.skipped, '\n');
        else if (series.failures() != 0)
            notes += cat("failed   ", series.name, ": ", last_problem(series), '\n');
    }
    std::string out = rows.size() > 1 ? text_table(rows) : "";
    if (report.interrupted)
        notes += "interrupted: some runs are missing\n";
    return out + notes;
}

} // namespace coldstart
