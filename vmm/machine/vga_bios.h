// The option ROM of a VGA, from the host's file.
#pragma once

#include "api/command/vm_config.h"

#include <cstddef>
#include <vector>

namespace coldstart {

/// VmConfig::vga_bios_path, or the file that Debian's package seabios installs; empty, with a
/// warning, when that is not there. Throws Error when the path given can't be read.
std::vector<std::byte> read_vga_bios(const VmConfig& config);

} // namespace coldstart
