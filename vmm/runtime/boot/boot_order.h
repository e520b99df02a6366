// The order in which firmware tries what it finds, from the configuration.
#pragma once

#include "api/command/vm_config.h"
#include "vmm/machine/board.h"

#include <string>
#include <vector>

namespace coldstart {

/// Lines of fw_cfg's "bootorder": the kernel handed over first, then the disks and network cards
/// with a boot index by that, then the CD drive. When none has an index, all disks in their order,
/// the CD drive, and the cards last, since a network may take its time to say that it boots nothing.
std::vector<std::string> firmware_boot_order(const VmConfig& config,
                                             const std::vector<BoardDevice>& board);

} // namespace coldstart
