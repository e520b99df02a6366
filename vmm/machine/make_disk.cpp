#include "vmm/machine/make_disk.h"

#include "api/command/device_names.h"
#include "virtio/backend/raw_disk.h"
#include "virtio/blk/virtio_blk.h"
#include "vmm/machine/rate_limits.h"

namespace coldstart {
namespace {

DiskCacheMode cache_mode(DiskCache cache) noexcept {
    switch (cache) {
    case DiskCache::none:
        return DiskCacheMode::none;
    case DiskCache::unsafe:
        return DiskCacheMode::unsafe;
    case DiskCache::writeback:
        break;
    }
    return DiskCacheMode::writeback;
}

RawDiskOptions image_of(const DiskConfig& disk) {
    return {.path = disk.path,
            .read_only = disk.read_only,
            .cache = cache_mode(disk.cache),
            .lenient = disk.lenient};
}

} // namespace

std::unique_ptr<DiskImage> open_disk_image(const DeviceHost& host, std::size_t index) {
    RawDiskOptions options = image_of(host.config.disks.at(index));
    options.milestones = host.milestones;
    options.name = disk_device_id(host.config, index);
    return std::make_unique<RawDisk>(options, host.reactor);
}

std::unique_ptr<VirtioDevice> make_virtio_blk(const BoardDevice& entry, const DeviceHost& host) {
    const DiskConfig& disk = host.config.disks.at(entry.unit);
    VirtioBlkOptions options;
    options.serial = disk.serial.empty() ? disk_name(host.config, entry.unit) : disk.serial;
    options.clock = &host.clock;
    options.limit = rate_limit_of(disk.limiter);
    return std::make_unique<VirtioBlk>(open_disk_image(host, entry.unit), options);
}

void change_disk_image(VirtioBlk& device, const DiskConfig& disk, Reactor& reactor) {
    RawDiskOptions options = image_of(disk);
    options.replaces = dynamic_cast<const RawDisk*>(&device.image());
    device.replace_image(std::make_unique<RawDisk>(options, reactor));
}

} // namespace coldstart
