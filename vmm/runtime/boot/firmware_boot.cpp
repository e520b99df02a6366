#include "vmm/runtime/boot/firmware_boot.h"

#include "vmm/machine/pc_board.h"

namespace coldstart {

FirmwareBoot::FirmwareBoot(const VmConfig& config)
    : config_(config), layout_(pc_layout(config.memory_bytes)),
      firmware_(config.firmware_path, "--firmware") {}

std::vector<BoardDevice> FirmwareBoot::board() const {
    return pc_board(config_, {.firmware_bytes = firmware_.bytes().size()});
}

void FirmwareBoot::equip(MachineHost& host) {
    host.firmware = firmware_.bytes();
}

EntryState FirmwareBoot::prepare(Machine& /*machine*/, const GuestMemory& /*memory*/) {
    return {}; // EntryMode::reset
}

} // namespace coldstart
