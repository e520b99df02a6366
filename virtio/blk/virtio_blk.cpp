#include "virtio/blk/virtio_blk.h"

#include "virtio/core/config_space.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <system_error>

namespace coldstart {
namespace {

using namespace virtio_blk;

constexpr std::uint16_t queue_size = 256;
constexpr std::uint32_t seg_max = queue_size - 2; // header and status need a descriptor each
static_assert(queue_size <= DiskImage::max_segments);

/// The lowest last, as they are taken from the back.
std::vector<std::uint32_t> all_tags(std::uint32_t count) {
    std::vector<std::uint32_t> tags(count);
    std::iota(tags.rbegin(), tags.rend(), 0u);
    return tags;
}

} // namespace

VirtioBlk::VirtioBlk(std::unique_ptr<DiskImage> image, const VirtioBlkOptions& options)
    : image_(std::move(image)), read_only_(image_->read_only()),
      capacity_sectors_(image_->size_bytes() / sector_bytes),
      throttle_(options.clock, options.limit, [this] { limit_passed(); }) {
    if (options.queues == 0 || options.queues > 64)
        throw UsageError(cat("a disk with ", options.queues, " queues"), "use 1 to 64");
    queue_sizes_.assign(options.queues, queue_size);
    progress_.resize(options.queues);
    std::memcpy(serial_.data(), options.serial.data(),
                std::min(options.serial.size(), serial_.size()));
    pending_.resize(image_->max_in_flight());
    free_ = all_tags(image_->max_in_flight());
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
    if (read_only_)
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
    bits |= read_only_ ? feature_ro : feature_discard | feature_write_zeroes;
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
    // Only one queue may be going: the kicks of the others are used up, so they are given again.
    for (unsigned index = 0; throttle_.is_holding() && index < progress_.size(); ++index)
        active_->notifier.queue_again(index);
    throttle_.stop();
    image_->drain();
    publish();
    active_.reset();
}

void VirtioBlk::replace_image(std::unique_ptr<DiskImage> image) {
    std::vector<Pending> pending(image->max_in_flight());
    std::vector<std::uint32_t> free = all_tags(image->max_in_flight());
    {
        const std::lock_guard guard(lock());
        image_->drain();
        std::swap(image_, image);
        counts_.image_updates.add();
        pending_.swap(pending);
        free_.swap(free);
        capacity_sectors_ = image_->size_bytes() / sector_bytes;
        build_config();
        image_->set_client(*this);
        if (active_) {
            publish();
            active_->notifier.config_changed();
        }
    }
    // Without the lock, which the old image's last call to disk_ready() may be waiting for.
    image->disconnect();
}

void VirtioBlk::set_rate_limit(const RateLimitUpdate& update) {
    throttle_.prepare(update);
    const std::lock_guard guard(lock());
    throttle_.update(update);
}

RateLimitOptions VirtioBlk::rate_limit() {
    const std::lock_guard guard(lock());
    return throttle_.limit();
}

void VirtioBlk::limit_passed() noexcept {
    const std::lock_guard guard(lock());
    throttle_.expired();
    counts_.limit_events.add();
    if (!active_ || paused_ || failed_)
        return;
    // The queue that waited comes first, or the others would take what it waited for.
    const auto queues = static_cast<unsigned>(progress_.size());
    for (unsigned i = 0; i < queues && !failed_ && !throttle_.is_holding(); ++i) {
        const unsigned index = (limited_queue_ + i) % queues;
        if (active_->queues[index].ready())
            serve(index);
    }
    settle();
}

void VirtioBlk::fail(std::string_view reason) noexcept {
    failed_ = true;
    active_->notifier.needs_reset(reason);
}

void VirtioBlk::process_queue(unsigned index) noexcept {
    if (!active_ || paused_ || failed_ || throttle_.is_holding())
        return;
    counts_.queue_events.add();
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
                counts_.image_full.add();
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
                counts_.invalid.add();
                fail("a block request without room for its status");
                return;
            }
            if (!admit(request)) {
                // The timer goes on here; kicks until then change nothing.
                queue.undo_pop();
                limited_queue_ = index;
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

void VirtioBlk::disk_completed(std::uint32_t tag, int error) noexcept {
    const Pending& done = pending_[tag];
    *done.status = static_cast<std::byte>(error == 0 ? Status::ok : Status::io_error);
    active_->queues[done.queue].push_used(done.head, error == 0 ? done.written_bytes : 1);
    progress_[done.queue].dirty = true;
    free_.push_back(tag);
    if (error == 0)
        count(done);
    else
        counts_.failed.add();
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

void VirtioBlk::count(const Pending& done) noexcept {
    switch (done.operation) {
    case DiskOperation::read:
        counts_.reads.add();
        counts_.read_bytes.add(done.moved_bytes);
        break;
    case DiskOperation::write:
        counts_.writes.add();
        counts_.write_bytes.add(done.moved_bytes);
        break;
    case DiskOperation::flush:
        counts_.flushes.add();
        break;
    case DiskOperation::discard:
    case DiskOperation::write_zeroes:
        break;
    }
}

VirtioDevice::Counters VirtioBlk::counters() const {
    return {{"queue_event_count", counts_.queue_events.get()},
            {"read_count", counts_.reads.get()},
            {"read_bytes", counts_.read_bytes.get()},
            {"write_count", counts_.writes.get()},
            {"write_bytes", counts_.write_bytes.get()},
            {"flush_count", counts_.flushes.get()},
            {"execute_fails", counts_.failed.get()},
            {"invalid_reqs_count", counts_.invalid.get()},
            {"rate_limiter_event_count", counts_.limit_events.get()},
            {"rate_limiter_throttled_events", held_count()},
            {"io_engine_throttled_events", counts_.image_full.get()},
            {"update_count", counts_.image_updates.get()}};
}

void VirtioBlk::save(StateWriter& writer) const {
    writer.begin("virtio-blk", 2);
    writer.fields(capacity_sectors_, read_only_);
    throttle_.save(writer);
}

void VirtioBlk::restore(StateReader& reader) {
    const std::uint16_t version = reader.begin("virtio-blk", 2);
    std::uint64_t capacity_sectors = 0;
    bool read_only = false;
    reader.fields(capacity_sectors, read_only);
    if (capacity_sectors != capacity_sectors_ || read_only != read_only_)
        throw Error(cat("saved state: virtio-blk: the disk had ", capacity_sectors,
                        " sectors and now has ", capacity_sectors_, ", or became ",
                        read_only ? "writable" : "read-only"),
                    "restore it with the disk it was saved with");
    if (version >= 2)
        throttle_.restore(reader);
}

} // namespace coldstart
