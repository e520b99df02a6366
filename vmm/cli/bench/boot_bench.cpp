#include "vmm/cli/bench/boot_bench.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/cli/bench/bench_host.h"
#include "vmm/cli/bench/guest_process.h"
#include "vmm/cli/bench/output_file.h"
#include "vmm/cli/bench/plan.h"
#include "vmm/cli/bench/progress.h"
#include "vmm/cli/bench/report_html.h"
#include "vmm/cli/bench/report_json.h"
#include "vmm/cli/bench/report_table.h"
#include "vmm/cli/bench/schedule.h"
#include "vmm/cli/bench/stop_signals.h"
#include "vmm/cli/bench/timeline_phases.h"
#include "vmm/cli/front.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <unistd.h>

namespace coldstart {
namespace {

/// A series is given up after as many failures one after the other: a guest that hangs costs
/// --timeout each time.
constexpr std::size_t failures_in_a_row = 2;

/// UEFI's variables as in the first run, so that no run finds what another has left.
void refresh_nvram(const Candidate& candidate) {
    if (candidate.nvram_path.empty())
        return;
    std::error_code error;
    std::filesystem::copy_file(candidate.nvram_template, candidate.nvram_path,
                               std::filesystem::copy_options::overwrite_existing, error);
    if (error)
        throw system_error(candidate.nvram_path, error.value(),
                           "make room there, or set TMPDIR to a folder that has some");
}

/// Empty when there is none.
std::string take_file(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    std::filesystem::remove(path);
    return text.str();
}

bool failed(const BootRun& run) noexcept {
    return run.outcome != RunOutcome::ready;
}

/// All runs, in turn.
class Measurement {
  public:
    /// `scratch`: a folder for what a run leaves.
    Measurement(const BenchCommand& command, BenchPlan& plan, StopSignals& signals,
                const std::string& scratch)
        : command_(command), plan_(plan), signals_(signals),
          timeline_path_(command.phases ? scratch + "/timeline.json" : "") {
        for (std::size_t i = 0; i < plan.candidates.size(); ++i) {
            if (plan.candidates[i].skipped.empty())
                able_.push_back(i);
        }
        turns_ = interleave(able_.size(), command.warmup, command.runs);
    }

    void carry_out() {
        Progress progress(STDERR_FILENO, turns_.size(), terminal_columns(STDERR_FILENO));
        for (const Candidate& candidate : plan_.candidates) {
            if (!candidate.skipped.empty())
                progress.say(cat("skipped ", candidate.name, ": ", candidate.skipped));
        }
        for (std::size_t i = 0; i < turns_.size() && signals_.number() == 0; ++i) {
            BootSeries& series = plan_.report.series[able_[turns_[i].candidate]];
            if (!series.skipped.empty())
                continue;
            run_once(turns_[i], series, progress);
            if (!series.skipped.empty())
                progress.drop(turns_left(turns_[i].candidate, i + 1));
        }
        if (signals_.number() != 0)
            progress.say(cat("ended by ", ::strsignal(signals_.number()),
                             ": here is what has been measured so far"));
    }

  private:
    void run_once(const Turn& turn, BootSeries& series, Progress& progress) {
        const Candidate& candidate = plan_.candidates[able_[turn.candidate]];
        progress.begin(candidate.name, turn.warmup);
        refresh_nvram(candidate);
        RunResult result =
            run_guest(candidate, {.ready = command_.ready,
                                  .timeout_s = command_.timeout_s,
                                  .timeline_path = candidate.is_coldstart ? timeline_path_ : "",
                                  .stop_fd = signals_.fd()});
        if (result.interrupted)
            return;
        if (!timeline_path_.empty() && candidate.is_coldstart)
            result.run.phases =
                timeline_phases(take_file(timeline_path_), result.spawn_ns, result.run.ready_ns);
        BootRun& run = series.runs.emplace_back(std::move(result.run));
        run.warmup = turn.warmup;
        progress.end(failed(run) ? run.problem
                                 : ms_text(static_cast<double>(run.ready_ns) / 1e6) + " ms",
                     !failed(run));
        const std::size_t done = series.runs.size();
        if (done >= failures_in_a_row &&
            std::all_of(series.runs.end() - failures_in_a_row, series.runs.end(), failed))
            series.skipped =
                cat("given up after ", failures_in_a_row, " failures in a row: ", run.problem);
    }

    std::size_t turns_left(std::size_t candidate, std::size_t from) const {
        return static_cast<std::size_t>(
            std::count_if(turns_.begin() + static_cast<std::ptrdiff_t>(from), turns_.end(),
                          [candidate](const Turn& turn) { return turn.candidate == candidate; }));
    }

    const BenchCommand& command_;
    BenchPlan& plan_;
    StopSignals& signals_;
    const std::string timeline_path_; ///< empty: nobody asks for one
    std::vector<std::size_t> able_;   ///< which candidates can be run
    std::vector<Turn> turns_;         ///< their `candidate` is an index of able_
};

int status_of(const BenchPlan& plan, int signal) {
    if (signal != 0)
        return exit_status::signal_base + signal;
    bool any_failed = plan.something_asked_for_is_missing, any_late = false;
    for (const BootSeries& series : plan.report.series) {
        for (const BootRun& run : series.runs) {
            any_failed |= run.outcome == RunOutcome::failed;
            any_late |= run.outcome == RunOutcome::timed_out;
        }
    }
    if (any_failed)
        return exit_status::host_failed;
    return any_late ? exit_status::timed_out : exit_status::powered_off;
}

} // namespace

int bench_boot(const BenchCommand& command) {
    OutputFile json("--json", command.json_path), html("--html", command.html_path);
    StopSignals signals;
    const bool in_lab = bench_clock() != BenchClock::monotonic;
    if (in_lab)
        stay_in_memory();
    Stage stage(in_lab);
    BenchPlan plan = plan_bench(command, stage);
    Measurement(command, plan, signals, stage.folder()).carry_out();
    plan.report.interrupted = signals.number() != 0;
    if (json.wanted())
        json.write(report_to_json(plan.report));
    if (html.wanted())
        html.write(report_html(plan.report));
    const std::string text = report_facts(plan.report) + '\n' + report_table(plan.report);
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
    return status_of(plan, signals.number());
}

} // namespace coldstart
