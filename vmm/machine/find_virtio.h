// The virtio device behind a transport of a machine, for who works with a device at run time: a
// request of the control socket that changes a balloon, a disk, a network.
// Threads: as Machine; the device says what may be called from where.
#pragma once

#include "virtio/core/virtio_device.h"
#include "vmm/machine/machine.h"

#include <string_view>

namespace coldstart {

/// nullptr when the machine has no device of this id, or none behind a virtio transport.
VirtioDevice* find_virtio(const Machine& machine, std::string_view id) noexcept;

/// The same as one class of virtio device: `find_virtio<VirtioBalloon>(machine, "balloon")`.
template <typename T>
T* find_virtio(const Machine& machine, std::string_view id) noexcept {
    return dynamic_cast<T*>(find_virtio(machine, id));
}

} // namespace coldstart
