// The virtio device behind a transport, for what is changed while the machine runs: limits, images.
// Threads: the control thread; the device's own methods say what they take.
#pragma once

#include "virtio/core/virtio_device.h"
#include "vmm/machine/machine.h"

#include <string_view>

namespace coldstart {

/// Of the device `id` of the board; nullptr when there is none or it is no virtio device.
VirtioDevice* find_virtio(const Machine& machine, std::string_view id) noexcept;

/// The same as what it is: find_virtio<VirtioBlk>(machine, "disk0").
template <typename T>
T* find_virtio(const Machine& machine, std::string_view id) noexcept {
    return dynamic_cast<T*>(find_virtio(machine, id));
}

} // namespace coldstart
