// Completion scripts for shells, made from the flag table.
#pragma once

#include "vmm/cli/args.h"

#include <string>

namespace coldstart {

std::string completion_script(Shell shell);

} // namespace coldstart
