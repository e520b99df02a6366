// The line of `bench` in the table of commands, its flags, and what belongs together among them.
#pragma once

#include "vmm/cli/flag_table.h"

namespace coldstart {

/// `coldstart bench`, for the table of commands.
CommandSpec bench_spec() noexcept;

} // namespace coldstart
