#include "vmm/cli/bench/report.h"

#include <algorithm>
#include <cstdio>
#include <map>

namespace coldstart {
namespace {

bool counts(const BootRun& run) noexcept {
    return !run.warmup && run.outcome == RunOutcome::ready;
}

} // namespace

std::vector<double> BootSeries::ready_ms() const {
    std::vector<double> values;
    for (const BootRun& run : runs) {
        if (counts(run))
            values.push_back(static_cast<double>(run.ready_ns) / 1e6);
    }
    return values;
}

std::size_t BootSeries::failures() const {
    return static_cast<std::size_t>(std::count_if(runs.begin(), runs.end(), [](const BootRun& run) {
        return run.outcome != RunOutcome::ready;
    }));
}

std::vector<std::pair<std::string, double>> BootSeries::phase_medians_ms() const {
    std::vector<std::string> order;
    std::map<std::string, std::vector<double>> values;
    for (const BootRun& run : runs) {
        if (!counts(run))
            continue;
        for (const PhaseTime& phase : run.phases) {
            std::vector<double>& of_phase = values[phase.name];
            if (of_phase.empty())
                order.push_back(phase.name);
            of_phase.push_back(static_cast<double>(phase.ns) / 1e6);
        }
    }
    std::vector<std::pair<std::string, double>> medians;
    for (const std::string& phase : order)
        medians.emplace_back(phase, median_of(values[phase]));
    return medians;
}

std::string clock_text(BenchClock clock) {
    switch (clock) {
    case BenchClock::lab_instructions:
        return "the deterministic lab's: 1 ns an instruction of host kernel, monitor and guest";
    case BenchClock::lab:
        return "the lab's, a software CPU: figures say little, ratios something";
    case BenchClock::monotonic:
        break;
    }
    return "CLOCK_MONOTONIC of this host";
}

std::string ms_text(double ms) {
    const int digits = ms < 10 ? 3 : ms < 1000 ? 2 : 1;
    char text[40];
    std::snprintf(text, sizeof text, "%.*f", digits, ms);
    return text;
}

} // namespace coldstart
