// What spans several flags of `run`: those that belong together, and those that do not.
#pragma once

#include "vmm/cli/flag_table.h"

namespace coldstart {

/// The command that the flags make, with what follows from them filled in. Throws UsageError.
Command finish_run(CommandDraft& draft);

} // namespace coldstart
