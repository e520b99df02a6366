// The names of disks and network cards: what the configuration calls them, or disk0, net0, ... by
// position.
#pragma once

#include "api/command/vm_config.h"
#include "vmm/base/text.h"

#include <cstddef>
#include <string>

namespace coldstart {

inline std::string disk_name(const VmConfig& config, std::size_t index) {
    const std::string& id = config.disks.at(index).id;
    return id.empty() ? cat("disk", index) : id;
}

inline std::string net_name(const VmConfig& config, std::size_t index) {
    const std::string& id = config.nets.at(index).id;
    return id.empty() ? cat("net", index) : id;
}

/// Of the devices behind them, in a machine in which no other device has such an id.
inline std::string disk_device_id(const VmConfig& config, std::size_t index) {
    return cat("disk.", disk_name(config, index));
}
inline std::string net_device_id(const VmConfig& config, std::size_t index) {
    return cat("net.", net_name(config, index));
}

} // namespace coldstart
