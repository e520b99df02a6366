// coldstart run: a machine in the foreground, its console on this terminal.
#pragma once

#include "vmm/cli/args.h"

namespace coldstart {

/// Runs the machine to its end; the exit status (front.h). Throws Error when it can't start.
int run_command(const RunCommand& command);

} // namespace coldstart
