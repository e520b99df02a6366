#include "vmm/machine/fw_cfg_items_boot_order.h"

#include "vmm/base/text.h"

#include <ios>

namespace coldstart {
namespace {

std::string pci_path(std::string_view node, PciAddress where) {
    std::string path = cat("/pci@i0cf8/", node, '@', std::hex, unsigned{where.device});
    if (where.function != 0)
        path += cat(',', std::hex, unsigned{where.function});
    return path;
}

} // namespace

std::string boot_path_virtio_blk(PciAddress where) {
    return pci_path("scsi", where) + "/disk@0,0";
}

std::string boot_path_ahci(PciAddress controller, unsigned port) {
    return cat(pci_path("pci8086,2922", controller), "/drive@", std::hex, port, "/disk@0");
}

std::string boot_path_network(PciAddress where) {
    return pci_path("ethernet", where) + "/ethernet-phy@0";
}

std::string boot_path_rom(std::string_view file) {
    return cat("/rom@", file);
}

} // namespace coldstart
