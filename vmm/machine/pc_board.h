// Board pc: a Q35/ICH9 kind of PC, on which firmware finds all it expects. Ports, addresses and
// PCI slots are those of QEMU's Q35 machine, which is what firmware images are built for:
//
//     00:00.0 memory controller   00:01.0 display   00:02.0 on: virtio
//     00:1f.0 LPC bridge   00:1f.2 AHCI   00:1f.3 SMBus
//
// Source: Intel Q35 and ICH9 datasheets (316966, 316972) for what stands where.
#pragma once

#include "vmm/machine/board.h"

namespace coldstart {

inline constexpr PciAddress ahci_address{31, 2};

struct PcFacts {
    std::uint64_t firmware_bytes = 0; ///< whole pages; the image ends at 4 GiB
    std::uint64_t memory_below_4g_bytes = 0;
    std::uint64_t memory_above_4g_bytes = 0;
    std::uint64_t nvram_bytes = 0; ///< of the variable store right below it; 0: none
};

/// The devices of board pc in the order in which they start. Throws UsageError when two ids are
/// the same or there are more virtio devices than slots.
std::vector<BoardDevice> pc_board(const VmConfig& config, const PcFacts& facts);

/// The PCI slot of the device with this id, as firmware's boot order names it; nothing when it is
/// no PCI function of the board.
std::optional<PciAddress> pci_address_of(const std::vector<BoardDevice>& board,
                                         std::string_view id);

} // namespace coldstart
