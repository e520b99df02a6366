// What a benchmark has to know of its host: its KVM, its clock.
// Threads: one.
#pragma once

#include "vmm/cli/bench/report.h"

#include <string>

namespace coldstart {

/// By the environment, in which the lab says what it is (docs/lab.md).
BenchClock bench_clock();

/// "hardware" or "emulating"; throws Error when there is no KVM to measure.
std::string bench_kvm_kind();

/// In the lab: reads this program in now, whole, since a page of it that is read through the lab's
/// shared folder while a guest boots makes the deterministic clock jump.
void stay_in_memory() noexcept;

/// "Linux 6.1.0-13-amd64, 8 CPUs"
std::string host_text();

} // namespace coldstart
