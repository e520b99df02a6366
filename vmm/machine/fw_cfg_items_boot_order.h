// The lines of fw_cfg's "bootorder": OpenFirmware device paths in the dialect that SeaBIOS
// (src/boot.c, build_pci_path and its callers) and OVMF (QemuBootOrderLib) match their devices
// against. Numbers are hexadecimal without prefix; a function of 0 is not written.
// Missing: devices behind bridges, NVMe, SCSI, USB and floppies.
#pragma once

#include "devices/core/pci/pci_address.h"

#include <string>
#include <string_view>

namespace coldstart {

/// "/pci@i0cf8/scsi@3/disk@0,0"
std::string boot_path_virtio_blk(PciAddress where);

/// "/pci@i0cf8/pci8086,2922@1f,2/drive@0/disk@0": a disk or CD drive on a port of the ICH9's AHCI
/// controller.
std::string boot_path_ahci(PciAddress controller, unsigned port);

/// "/pci@i0cf8/ethernet@4/ethernet-phy@0": any network adapter.
std::string boot_path_network(PciAddress where);

/// "/rom@genroms/coldstart-linux.rom": the boot entry of an option ROM that is a file of fw_cfg.
std::string boot_path_rom(std::string_view file);

} // namespace coldstart
