// Entries that the boards have in common: the virtio devices that the configuration asks for, the
// first serial port, the debug console.
#pragma once

#include "vmm/machine/board.h"

#include <string_view>
#include <vector>

namespace coldstart {

/// What stands behind a virtio transport, in the order in which a guest finds it, behind
/// `transport` ("virtio-mmio", "virtio-pci") and not placed yet. Disks on another bus are left out.
std::vector<BoardDevice> virtio_devices(const VmConfig& config, std::string_view transport);

/// COM1, unless there is none or a virtio console stands in for it; never more than one entry.
std::vector<BoardDevice> com1_devices(const VmConfig& config);

/// QEMU's port and Bochs's: what is written to either goes to the same file.
std::vector<BoardDevice> debugcon_devices(const VmConfig& config);

/// Throws UsageError when two devices have the same id.
void check_board_ids(const std::vector<BoardDevice>& board);

/// Appends `more` to `board`.
void append(std::vector<BoardDevice>& board, std::vector<BoardDevice> more);

} // namespace coldstart
