// What `coldstart bench boot` has measured, as plain data: report_json.h writes and reads it,
// report_table.h and report_html.h show it, compare.h sets two of them side by side.
#pragma once

#include "vmm/cli/bench/statistics.h"

#include <cstdint>
#include <string>
#include <vector>

namespace coldstart {

/// Which of the seconds are meant.
enum class BenchClock {
    monotonic,        ///< wall time of this host
    lab,              ///< of the lab: a software CPU on a busy host; ratios at best
    lab_instructions, ///< of the deterministic lab: a nanosecond an instruction
};

enum class RunOutcome {
    ready,
    failed,    ///< the monitor ended, or could not be started
    timed_out, ///< --timeout
};

struct PhaseTime {
    std::string name; ///< setup, load, firmware, bootloader, kernel, init
    std::uint64_t ns = 0;
};

struct BootRun {
    bool warmup = false; ///< is in no figure
    RunOutcome outcome = RunOutcome::failed;
    std::uint64_t ready_ns = 0;    ///< from just before the spawn until the guest was ready
    std::vector<PhaseTime> phases; ///< up to ready; empty: nobody told
    std::string problem;           ///< unless it became ready
};

/// One way to boot, under one monitor.
struct BootSeries {
    std::string name;  ///< "linux", "qemu-microvm": what two reports are compared by
    std::string title; ///< for people
    std::vector<std::string> command = {};
    std::string skipped = {}; ///< why there are no runs, or no further ones; may be empty
    std::vector<BootRun> runs = {};

    /// Milliseconds to ready of the runs that count.
    std::vector<double> ready_ms() const;
    std::size_t failures() const; ///< warm-up included
    /// The median of each phase over the runs that count and tell it, in the order of a boot.
    std::vector<std::pair<std::string, double>> phase_medians_ms() const;
};

struct BootReport {
    std::string coldstart_version;
    BenchClock clock = BenchClock::monotonic;
    std::string kvm_kind; ///< "hardware", "emulating"
    std::string host;     ///< kernel release and number of CPUs
    std::string kernel, initrd, command_line, ready;
    std::vector<std::string> disks;
    std::uint32_t cpus = 1;
    std::uint64_t memory_bytes = 0;
    unsigned runs = 0; ///< wanted of each series
    unsigned warmup = 0;
    bool interrupted = false; ///< a signal ended it before all runs were done
    std::vector<BootSeries> series;
};

/// "CLOCK_MONOTONIC of this host", ...
std::string clock_text(BenchClock clock);

/// Milliseconds with as many digits as are worth reading: "0.712", "18.65", "1638.1".
std::string ms_text(double ms);

} // namespace coldstart
