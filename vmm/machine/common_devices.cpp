#include "vmm/machine/common_devices.h"

#include "api/command/device_names.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <iterator>
#include <set>
#include <string>
#include <utility>

namespace coldstart {

std::vector<BoardDevice> virtio_devices(const VmConfig& config, std::string_view transport) {
    std::vector<BoardDevice> devices;
    const auto add = [&](std::string id, std::string_view function) -> BoardDevice& {
        devices.push_back({.id = std::move(id),
                           .type = std::string(transport),
                           .function = std::string(function)});
        return devices.back();
    };
    for (std::size_t i = 0; i < config.disks.size(); ++i) {
        if (config.disks[i].bus == DiskBus::virtio)
            add(disk_device_id(config, i), "virtio-blk").unit = i;
    }
    for (std::size_t i = 0; i < config.nets.size(); ++i)
        add(net_device_id(config, i), "virtio-net").unit = i;
    if (config.virtio_console)
        add("console", "virtio-console").stream = "console";
    if (config.rng)
        add("rng", "virtio-rng");
    if (config.balloon)
        add("balloon", "virtio-balloon");
    if (config.vsock)
        add("vsock", "virtio-vsock");
    return devices;
}

std::vector<BoardDevice> com1_devices(const VmConfig& config) {
    const auto kind = config.serial.kind;
    const bool console_replaces_com1 = config.virtio_console && kind == SerialConfig::Kind::stdio;
    if (kind == SerialConfig::Kind::none || console_replaces_com1)
        return {};
    return {{.id = "com1", .type = "uart16550", .regions = {0x3f8}, .gsis = {4}, .stream = "com1"}};
}

std::vector<BoardDevice> debugcon_devices(const VmConfig& config) {
    if (config.debugcon_path.empty())
        return {};
    return {{.id = "debugcon", .type = "debugcon", .regions = {0x402}, .stream = "debugcon"},
            {.id = "debugcon-e9", .type = "debugcon", .regions = {0xe9}, .stream = "debugcon"}};
}

void check_board_ids(const std::vector<BoardDevice>& board) {
    std::set<std::string_view> ids;
    for (const BoardDevice& device : board) {
        if (!ids.insert(device.id).second)
            throw UsageError(cat("device id \"", printable(device.id), "\" is there twice"),
                             "choose another id=");
    }
}

void append(std::vector<BoardDevice>& board, std::vector<BoardDevice> more) {
    board.insert(board.end(), std::make_move_iterator(more.begin()),
                 std::make_move_iterator(more.end()));
}

} // namespace coldstart
