// The work of `coldstart bench boot`: what can be run, the runs in turn, and the report.
// Threads: one.
#pragma once

#include "vmm/cli/bench/bench.h"

namespace coldstart {

/// Table on stdout, progress on stderr, report files. The exit status: 0 every run became ready;
/// 1 a run failed or something that was asked for could not be run; 124 the only failures were
/// runs that took too long; 128+N ended by signal N. Throws Error.
int bench_boot(const BenchCommand& command);

} // namespace coldstart
