// The order in which firmware tries what it finds, from the configuration.
#pragma once

#include "api/command/vm_config.h"
#include "vmm/machine/board.h"

#include <string>
#include <vector>

namespace coldstart {

/// Lines of fw_cfg's "bootorder": the kernel handed over first, then disks with a boot index by
/// that, or, when none has one, all in their order; the CD drive last.
std::vector<std::string> firmware_boot_order(const VmConfig& config,
                                             const std::vector<BoardDevice>& board);

} // namespace coldstart
