#include "vmm/runtime/boot/boot_order.h"

#include "api/command/device_names.h"
#include "firmware-loaders/option_rom/option_rom.h"
#include "vmm/base/text.h"
#include "vmm/machine/fw_cfg_items_boot_order.h"
#include "vmm/machine/pc_board.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>

namespace coldstart {
namespace {

struct Entry {
    std::optional<std::uint32_t> index;
    std::string path;
};

std::vector<Entry> disk_entries(const VmConfig& config, const std::vector<BoardDevice>& board) {
    std::vector<Entry> entries;
    unsigned next_port = 0;
    for (std::size_t i = 0; i < config.disks.size(); ++i) {
        const DiskConfig& disk = config.disks[i];
        const auto where = pci_address_of(board, disk_device_id(config, i));
        if (disk.bus == DiskBus::sata)
            entries.push_back({disk.boot_index, boot_path_ahci(ahci_address, next_port++)});
        else if (where)
            entries.push_back({disk.boot_index, boot_path_virtio_blk(*where)});
    }
    return entries;
}

/// The drive's port comes after those of the SATA disks.
std::vector<Entry> cdrom_entries(const VmConfig& config) {
    if (config.cdrom_path.empty())
        return {};
    const auto port = std::count_if(config.disks.begin(), config.disks.end(),
                                    [](const auto& disk) { return disk.bus == DiskBus::sata; });
    return {{std::nullopt, boot_path_ahci(ahci_address, static_cast<unsigned>(port))}};
}

std::vector<Entry> net_entries(const VmConfig& config, const std::vector<BoardDevice>& board) {
    std::vector<Entry> entries;
    for (std::size_t i = 0; i < config.nets.size(); ++i) {
        const NetConfig& net = config.nets[i];
        if (const auto where = pci_address_of(board, net_device_id(config, i)))
            entries.push_back({net.bootindex, boot_path_network(*where)});
    }
    return entries;
}

void append(std::vector<Entry>& entries, const std::vector<Entry>& more) {
    entries.insert(entries.end(), more.begin(), more.end());
}

} // namespace

std::vector<std::string> firmware_boot_order(const VmConfig& config,
                                             const std::vector<BoardDevice>& board) {
    const std::vector<Entry> nets = net_entries(config, board);
    std::vector<Entry> entries = disk_entries(config, board);
    std::vector<Entry> chosen;
    for (const std::vector<Entry>* list : {&std::as_const(entries), &nets})
        std::copy_if(list->begin(), list->end(), std::back_inserter(chosen),
                     [](const Entry& entry) { return entry.index.has_value(); });
    if (!chosen.empty()) {
        std::stable_sort(chosen.begin(), chosen.end(),
                         [](const Entry& a, const Entry& b) { return *a.index < *b.index; });
        append(chosen, cdrom_entries(config));
        entries = std::move(chosen);
    } else {
        append(entries, cdrom_entries(config));
        append(entries, nets);
    }

    std::vector<std::string> order;
    if (!config.kernel_path.empty())
        order.push_back(boot_path_rom(linux_boot_rom_file));
    for (Entry& entry : entries)
        order.push_back(std::move(entry.path));
    return order;
}

} // namespace coldstart
