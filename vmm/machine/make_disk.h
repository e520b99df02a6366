// Disks from what the configuration says: the image, the cache mode, the limits.
// Threads: the control thread.
#pragma once

#include "vmm/machine/catalogue.h"

#include <cstddef>
#include <memory>

namespace coldstart {

class DiskImage;
class VirtioBlk;
class VirtioDevice;

/// The image of disk `index` of the configuration. Throws Error when it can't be used.
std::unique_ptr<DiskImage> open_disk_image(const DeviceHost& host, std::size_t index);

/// Throws Error when the image can't be used.
std::unique_ptr<VirtioDevice> make_virtio_blk(const BoardDevice& entry, const DeviceHost& host);

/// Opens the image of `disk` and puts it behind `device` while the guest runs. The path may be that
/// of the image in use: its size is taken anew. Only the path and the cache mode of `disk` count;
/// `read_only` must be what the device was made with. Throws Error, and then the old image stays.
void change_disk_image(VirtioBlk& device, const DiskConfig& disk, Reactor& reactor);

} // namespace coldstart
