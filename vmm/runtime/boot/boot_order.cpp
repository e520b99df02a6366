#include "vmm/runtime/boot/boot_order.h"

#include "firmware-loaders/option_rom/option_rom.h"
#include "vmm/base/text.h"
#include "vmm/machine/fw_cfg_items_boot_order.h"
#include "vmm/machine/pc_board.h"

#include <algorithm>
#include <utility>

namespace coldstart {

std::vector<std::string> firmware_boot_order(const VmConfig& config,
                                             const std::vector<BoardDevice>& board) {
    std::vector<std::pair<std::uint32_t, std::string>> entries;
    const bool chosen = std::any_of(config.disks.begin(), config.disks.end(),
                                    [](const DiskConfig& disk) { return disk.boot_index; });
    unsigned next_port = 0;
    for (std::size_t i = 0; i < config.disks.size(); ++i) {
        const DiskConfig& disk = config.disks[i];
        const unsigned sata_port = next_port;
        next_port += disk.bus == DiskBus::sata ? 1 : 0;
        if (chosen && !disk.boot_index)
            continue;
        const std::uint32_t index = disk.boot_index.value_or(0);
        const auto where = pci_address_of(board, disk.id.empty() ? cat("disk", i) : disk.id);
        if (disk.bus == DiskBus::sata)
            entries.emplace_back(index, boot_path_ahci(ahci_address, sata_port));
        else if (where)
            entries.emplace_back(index, boot_path_virtio_blk(*where));
    }
    std::stable_sort(entries.begin(), entries.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });

    std::vector<std::string> order;
    if (!config.kernel_path.empty())
        order.push_back(boot_path_rom(linux_boot_rom_file));
    for (auto& [index, path] : entries)
        order.push_back(std::move(path));
    if (!config.cdrom_path.empty())
        order.push_back(boot_path_ahci(ahci_address, next_port));
    return order;
}

} // namespace coldstart
