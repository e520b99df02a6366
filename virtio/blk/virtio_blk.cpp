#include "virtio/blk/virtio_blk.h"

#include "virtio/core/config_space.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <system_error>

namespace coldstart {
namespace {

using namespace virtio_blk;

constexpr std::uint16_t queue_size = 256;
constexpr std::uint32_t seg_max = queue_size - 2; // header and status need a descriptor each
static_assert(queue_size <= DiskImage::max_segments);
constexpr std::uint32_t max_range_sectors = 4 * 1024 * 1024; // 2 GiB

std::uint32_t used_length(std::uint64_t data_bytes) noexcept {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(data_bytes + 1, 0xffffffff));
}

} // namespace

VirtioBlk::VirtioBlk(std::unique_ptr<DiskImage> image, const VirtioBlkOptions& options)
    : image_(std::move(image)), capacity_sectors_(image_->size_bytes() / sector_bytes) {
    if (options.queues == 0 || options.queues > 64)
        throw UsageError(cat("a disk with ", options.queues, " queues"), "use 1 to 64");
    queue_sizes_.assign(options.queues, queue_size);
    progress_.resize(options.queues);
    std::memcpy(serial_.data(), options.serial.data(),
                std::min(options.serial.size(), serial_.size()));
    pending_.resize(image_->max_in_flight());
    for (std::uint32_t tag = image_->max_in_flight(); tag != 0; --tag)
        free_.push_back(tag - 1);
    build_config();
    image_->set_client(*this);
}

VirtioBlk::~VirtioBlk() {
    image_->disconnect();
}

void VirtioBlk::build_config() noexcept {
    const std::span<std::byte> bytes(config_);
    const DiskGeometry geometry = image_->geometry();
    const std::uint32_t physical_blocks = geometry.physical_block_bytes / geometry.block_bytes;
    store_le(bytes, config::capacity, capacity_sectors_);
    store_le(bytes, config::seg_max, seg_max);
    store_le(bytes, config::blk_size, geometry.block_bytes);
    store_le(bytes, config::physical_block_exp,
             static_cast<std::uint8_t>(std::countr_zero(physical_blocks)));
    store_le(bytes, config::min_io_size, static_cast<std::uint16_t>(physical_blocks));
    store_le(bytes, config::opt_io_size, geometry.optimal_io_bytes / geometry.block_bytes);
    store_le(bytes, config::num_queues, static_cast<std::uint16_t>(queue_sizes_.size()));
    if (image_->read_only())
        return;
    store_le(bytes, config::max_discard_sectors, max_range_sectors);
    store_le(bytes, config::max_discard_seg, std::uint32_t{1});
    store_le(bytes, config::discard_sector_alignment,
             static_cast<std::uint32_t>(geometry.physical_block_bytes / sector_bytes));
    store_le(bytes, config::max_write_zeroes_sectors, max_range_sectors);
    store_le(bytes, config::max_write_zeroes_seg, std::uint32_t{1});
    store_le(bytes, config::write_zeroes_may_unmap, std::uint8_t{1});
}

std::uint64_t VirtioBlk::features() const noexcept {
    std::uint64_t bits = virtio_feature::indirect_desc | virtio_feature::event_idx |
                         feature_seg_max | feature_blk_size | feature_flush | feature_topology;
    if (queue_sizes_.size() > 1)
        bits |= feature_mq;
    bits |= image_->read_only() ? feature_ro : feature_discard | feature_write_zeroes;
    return bits;
}

void VirtioBlk::read_config(std::uint64_t offset, std::span<std::byte> out) noexcept {
    read_config_bytes(config_, offset, out);
}

bool VirtioBlk::activate(const VirtioActivation& activation) noexcept {
    active_.emplace(activation);
    failed_ = false;
    std::fill(progress_.begin(), progress_.end(), QueueProgress{});
    return true;
}

void VirtioBlk::deactivate() noexcept {
    image_->drain();
    publish();
    active_.reset();
}

void VirtioBlk::fail(std::string_view reason) noexcept {
    failed_ = true;
    active_->notifier.needs_reset(reason);
}

void VirtioBlk::process_queue(unsigned index) noexcept {
    if (!active_ || paused_ || failed_)
        return;
    serve(index);
    settle();
}

void VirtioBlk::serve(unsigned index) noexcept {
    SplitQueue& queue = active_->queues[index];
    progress_[index].stalled = false;
    unsigned left = queue.size();
    bool more = true;
    while (more && left != 0) {
        queue.disable_notifications();
        for (; left != 0; --left) {
            if (free_.empty()) {
                // A completion comes for certain and goes on here.
                progress_[index].stalled = true;
                return;
            }
            DescriptorChain chain;
            const SplitQueue::Pop pop = queue.pop(segments_, chain);
            if (pop == SplitQueue::Pop::empty)
                break;
            Request request;
            if (pop == SplitQueue::Pop::broken) {
                fail(queue.error());
                return;
            }
            if (!take_apart(index, chain, request)) {
                fail("a block request without room for its status");
                return;
            }
            execute(request);
        }
        more = queue.enable_notifications();
    }
    if (more)
        active_->notifier.queue_again(index);
}

void VirtioBlk::settle() noexcept {
    image_->commit();
    image_->reap();
    publish();
}

void VirtioBlk::publish() noexcept {
    for (unsigned index = 0; index < progress_.size(); ++index) {
        QueueProgress& progress = progress_[index];
        if (progress.dirty && active_->queues[index].publish())
            active_->notifier.queue_used(index);
        progress.dirty = false;
        if (progress.stalled && !free_.empty()) {
            progress.stalled = false;
            active_->notifier.queue_again(index);
        }
    }
}

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
    if ((!read && image_->read_only()) || bytes % sector_bytes != 0 ||
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
    pending_[disk.tag] = {request.queue, request.head, used_length(data_bytes), request.status};
    image_->submit(disk);
}

void VirtioBlk::answer(const Request& request, Status status, std::size_t data_bytes) noexcept {
    *request.status = static_cast<std::byte>(status);
    active_->queues[request.queue].push_used(request.head, used_length(data_bytes));
    progress_[request.queue].dirty = true;
}

void VirtioBlk::disk_completed(std::uint32_t tag, int error) noexcept {
    const Pending& done = pending_[tag];
    *done.status = static_cast<std::byte>(error == 0 ? Status::ok : Status::io_error);
    active_->queues[done.queue].push_used(done.head, error == 0 ? done.written_bytes : 1);
    progress_[done.queue].dirty = true;
    free_.push_back(tag);
    if (error != 0 && complaints_.allow())
        log_warn(cat("virtio-blk: the host failed a request of the guest: ",
                     std::generic_category().message(error)));
}

void VirtioBlk::disk_ready() noexcept {
    const std::lock_guard guard(lock());
    image_->reap();
    if (active_)
        publish();
}

void VirtioBlk::save(StateWriter& writer) const {
    writer.begin("virtio-blk", 1);
    writer.fields(capacity_sectors_, image_->read_only());
}

void VirtioBlk::restore(StateReader& reader) {
    reader.begin("virtio-blk", 1);
    std::uint64_t capacity_sectors = 0;
    bool read_only = false;
    reader.fields(capacity_sectors, read_only);
    if (capacity_sectors != capacity_sectors_ || read_only != image_->read_only())
        throw Error(cat("saved state: virtio-blk: the disk had ", capacity_sectors,
                        " sectors and now has ", capacity_sectors_, ", or became ",
                        read_only ? "writable" : "read-only"),
                    "restore it with the disk it was saved with");
}

} // namespace coldstart
