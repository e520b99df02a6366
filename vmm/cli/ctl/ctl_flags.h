// The line of `ctl` in the table of commands, its flags, and what belongs together among them.
#pragma once

#include "vmm/cli/flag_table.h"

namespace coldstart {

CommandSpec ctl_spec() noexcept;

} // namespace coldstart
