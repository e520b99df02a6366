// What a benchmark will run: the modes and monitors that the files and this host allow, and why
// the others are left out.
// Threads: one.
#pragma once

#include "vmm/cli/bench/candidate.h"
#include "vmm/cli/bench/report.h"
#include "vmm/cli/bench/stage.h"

#include <vector>

namespace coldstart {

struct BenchPlan {
    std::vector<Candidate> candidates;
    BootReport report; ///< everything but the runs; one series for each candidate, in their order
    bool something_asked_for_is_missing = false; ///< a mode, a peer or a file named by a flag
};

/// Throws Error when nothing can be run.
BenchPlan plan_bench(const BenchCommand& command, Stage& stage);

} // namespace coldstart
