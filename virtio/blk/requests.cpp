// VirtioBlk: one request at a time (virtio 1.2, section 5.2.6).
#include "virtio/blk/virtio_blk.h"
#include "vmm/base/bytes.h"

#include <algorithm>

namespace coldstart {

using namespace virtio_blk;

namespace {

std::uint32_t used_length(std::uint64_t data_bytes) noexcept {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(data_bytes + 1, 0xffffffff));
}

} // namespace

bool VirtioBlk::take_apart(unsigned queue, const DescriptorChain& chain,
                           Request& request) noexcept {
    if (chain.writable.empty())
        return false;
    const iovec& last = chain.writable.back();
    request.queue = queue;
    request.head = chain.head;
    request.status = static_cast<std::byte*>(last.iov_base) + last.iov_len - 1;
    request.to_driver_bytes = chain.writable_bytes - 1;
    request.to_driver = keep_front(chain.writable, request.to_driver_bytes);

    const std::size_t copied = copy_from_segments(
        chain.readable, 0, std::as_writable_bytes(std::span(&request.header, 1)));
    if (copied != sizeof request.header)
        request.header = {.type = ~0u}; // no such type: answered as unsupported
    request.from_driver_bytes = chain.readable_bytes - copied;
    request.from_driver = drop_front(chain.readable, copied);
    return true;
}

void VirtioBlk::execute(const Request& request) noexcept {
    switch (request.header.type) {
    case type_in:
        transfer(request, DiskOperation::read);
        return;
    case type_out:
        transfer(request, DiskOperation::write);
        return;
    case type_flush:
        if ((active_->features & feature_flush) != 0) {
            DiskRequest disk;
            disk.operation = DiskOperation::flush;
            start(request, disk, 0);
            return;
        }
        break;
    case type_get_id:
        get_id(request);
        return;
    case type_discard:
        if ((active_->features & feature_discard) != 0) {
            change_range(request, DiskOperation::discard);
            return;
        }
        break;
    case type_write_zeroes:
        if ((active_->features & feature_write_zeroes) != 0) {
            change_range(request, DiskOperation::write_zeroes);
            return;
        }
        break;
    default:
        break;
    }
    answer(request, Status::unsupported);
}

bool VirtioBlk::inside(std::uint64_t sector, std::uint64_t sectors) const noexcept {
    return range_inside(sector, sectors, capacity_sectors_);
}

void VirtioBlk::transfer(const Request& request, DiskOperation operation) noexcept {
    const bool read = operation == DiskOperation::read;
    const std::uint64_t bytes = read ? request.to_driver_bytes : request.from_driver_bytes;
    if ((!read && (read_only_ || image_->read_only())) || bytes % sector_bytes != 0 ||
        !inside(request.header.sector, bytes / sector_bytes)) {
        answer(request, Status::io_error);
        return;
    }
    if (bytes == 0) {
        answer(request, Status::ok);
        return;
    }
    DiskRequest disk;
    disk.operation = operation;
    disk.offset_bytes = request.header.sector * sector_bytes;
    disk.segments = read ? request.to_driver : request.from_driver;
    disk.durable = !read && (active_->features & feature_flush) == 0;
    start(request, disk, read ? bytes : 0);
}

void VirtioBlk::change_range(const Request& request, DiskOperation operation) noexcept {
    RangeSegment range;
    if (request.from_driver_bytes != sizeof range) {
        answer(request, Status::io_error);
        return;
    }
    copy_from_segments(request.from_driver, 0, std::as_writable_bytes(std::span(&range, 1)));
    if (image_->read_only()) { // in the place of one that was not
        answer(request, Status::io_error);
        return;
    }
    const std::uint32_t known = operation == DiskOperation::write_zeroes ? range_unmap : 0;
    if ((range.flags & ~known) != 0) {
        answer(request, Status::unsupported); // 5.2.6.2
        return;
    }
    if (range.sectors > max_range_sectors || !inside(range.sector, range.sectors)) {
        answer(request, Status::io_error);
        return;
    }
    if (range.sectors == 0) {
        answer(request, Status::ok);
        return;
    }
    DiskRequest disk;
    disk.operation = operation;
    disk.offset_bytes = range.sector * sector_bytes;
    disk.size_bytes = std::uint64_t{range.sectors} * sector_bytes;
    disk.unmap = (range.flags & range_unmap) != 0;
    disk.durable = (active_->features & feature_flush) == 0;
    start(request, disk, 0);
}

void VirtioBlk::get_id(const Request& request) noexcept {
    const std::size_t copied = copy_to_segments(request.to_driver, 0, serial_);
    answer(request, Status::ok, copied);
}

void VirtioBlk::start(const Request& request, DiskRequest& disk,
                      std::uint64_t data_bytes) noexcept {
    disk.tag = free_.back();
    free_.pop_back();
    const std::uint64_t moved_bytes =
        disk.operation == DiskOperation::read    ? request.to_driver_bytes
        : disk.operation == DiskOperation::write ? request.from_driver_bytes
                                                 : 0;
    pending_[disk.tag] = {request.queue,  request.head,   used_length(data_bytes),
                          request.status, disk.operation, moved_bytes};
    image_->submit(disk);
}

void VirtioBlk::answer(const Request& request, Status status, std::size_t data_bytes) noexcept {
    if (status != Status::ok)
        counts_.invalid.add();
    *request.status = static_cast<std::byte>(status);
    active_->queues[request.queue].push_used(request.head, used_length(data_bytes));
    progress_[request.queue].dirty = true;
}

bool VirtioBlk::admit(const Request& request) noexcept {
    const std::uint32_t type = request.header.type;
    const std::uint64_t bytes = type == type_in    ? request.to_driver_bytes
                                : type == type_out ? request.from_driver_bytes
                                                   : 0;
    if (!throttle_.admit(bytes, 1))
        return false;
    throttle_.charge(bytes, 1);
    return true;
}

} // namespace coldstart
