// coldstart run: a machine in the foreground, its console on this terminal; and coldstart serve: a
// machine that clients of the control socket configure, start and end.
#pragma once

#include "vmm/cli/args.h"
#include "vmm/runtime/virtual_machine.h"

namespace coldstart {

/// Runs the machine to its end; the exit status (front.h). Throws Error when it can't start.
int run_command(const RunCommand& command);
int serve_command(const ServeCommand& command);

/// The exit status of an end, said on stderr where it is a failure.
int report_end(const RunEnd& end, const VmConfig& config);

} // namespace coldstart
