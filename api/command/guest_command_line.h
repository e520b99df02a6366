// The kernel command line a machine boots with, whichever way it was asked for.
#pragma once

#include "api/command/vm_config.h"

#include <string>

namespace coldstart {

/// `config.command_line`, or the default of the board; then "root=/dev/vda rw" (or "ro") when
/// there is a disk, no initrd to find the root by itself, and no root= yet.
std::string guest_command_line(const VmConfig& config);

} // namespace coldstart
