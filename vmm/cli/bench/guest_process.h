// One run of a benchmark: a monitor is started, watched until its guest is ready, and ended with
// all that it started. The clock is CLOCK_MONOTONIC, read right before posix_spawn and again when
// the bytes that say "ready" have come out of a pipe.
// Missing: a monitor whose parent is killed by SIGKILL lives on until its own --timeout.
// Threads: one.
#pragma once

#include "vmm/cli/bench/candidate.h"
#include "vmm/cli/bench/report.h"

#include <string>

namespace coldstart {

struct RunOptions {
    ReadyCondition ready = {};
    double timeout_s = 60;
    /// Where `command` of coldstart is told to write its timeline; empty: it is told of none, and
    /// is killed as soon as the guest is ready.
    std::string timeline_path = {};
    int stop_fd = -1; ///< readable: the benchmark is to end
};

struct RunResult {
    BootRun run;
    std::uint64_t spawn_ns = 0; ///< CLOCK_MONOTONIC
    bool interrupted = false;   ///< by stop_fd; then `run` says nothing
};

/// What can't be started is a failed run.
RunResult run_guest(const Candidate& candidate, const RunOptions& options);

std::uint64_t monotonic_ns() noexcept;

} // namespace coldstart
