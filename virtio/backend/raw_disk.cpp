#include "virtio/backend/raw_disk.h"

#include "virtio/core/descriptor_chain.h"
#include "vmm/base/error.h"
#include "vmm/base/log.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace coldstart {
namespace {

constexpr std::size_t zeroes_bytes = 64ul * 1024;
constexpr unsigned max_retries = 16;

std::unique_ptr<IoEngine> make_engine(const RawDiskOptions& options, int fd, std::uint32_t depth) {
    if (!options.synchronous) {
        int error = 0;
        if (auto engine = make_uring_engine(fd, depth, error))
            return engine;
        log_info(cat("disk image ", options.path, ": no io_uring here (",
                     std::generic_category().message(error), "), plain system calls instead"));
    }
    return make_sync_engine(fd, depth);
}

} // namespace

RawDisk::RawDisk(const RawDiskOptions& options, Reactor& reactor)
    : file_(open_image_file(options.path,
                            {.read_only = options.read_only,
                             .direct = options.cache == DiskCacheMode::none,
                             .lenient = options.lenient},
                            options.replaces != nullptr ? options.replaces->file_.lock_fd.get()
                                                        : -1)),
      read_only_(options.read_only), cache_(options.cache),
      engine_(make_engine(options, file_.fd.get(), depth)), first_read_(options.milestones),
      name_(options.name),
      // Half a megabyte of which most is never touched: not initialised on purpose.
      segments_(std::make_unique_for_overwrite<iovec[]>(depth * max_segments)),
      zeroes_(zeroes_bytes) {
    if (cache_ == DiskCacheMode::none)
        bounces_ = Pages(bounce_bytes * bounce_count);
    watch_ = reactor.watch(engine_->event_fd(), POLLIN, [this](std::uint32_t) {
        std::uint64_t count = 0;
        [[maybe_unused]] const auto got = ::read(engine_->event_fd(), &count, sizeof count);
        if (DiskClient* client = client_.load(std::memory_order_acquire))
            client->disk_ready();
    });
}

RawDisk::~RawDisk() {
    RawDisk::disconnect();
    drain();
}

void RawDisk::set_client(DiskClient& client) noexcept {
    client_.store(&client, std::memory_order_release);
}

void RawDisk::disconnect() noexcept {
    watch_.reset();
    client_.store(nullptr, std::memory_order_release);
}

std::span<iovec> RawDisk::segment_space(std::uint32_t tag) noexcept {
    return {segments_.get() + std::size_t{tag} * max_segments, max_segments};
}

void RawDisk::submit(const DiskRequest& request) noexcept {
    assert(request.tag < depth && request.segments.size() <= max_segments);
    Slot& slot = slots_[request.tag];
    slot = Slot{};
    slot.operation = request.operation;
    slot.durable = request.durable;
    slot.offset_bytes = request.offset_bytes;
    slot.segments = segment_space(request.tag).first(request.segments.size());
    std::copy(request.segments.begin(), request.segments.end(), slot.segments.begin());
    slot.stage = first_stage(request, slot);
    if (request.operation == DiskOperation::read && first_read_ != nullptr)
        std::exchange(first_read_, nullptr)->reached(Milestone::first_disk_read, name_);
    ++in_flight_;
    proceed(request.tag);
}

RawDisk::Stage RawDisk::first_stage(const DiskRequest& request, Slot& slot) noexcept {
    switch (request.operation) {
    case DiskOperation::flush:
        return Stage::sync;
    case DiskOperation::discard:
        slot.left_bytes = request.size_bytes;
        return Stage::discard;
    case DiskOperation::write_zeroes:
        slot.left_bytes = request.size_bytes;
        return request.unmap ? Stage::zero_by_punching : Stage::zero_by_range;
    case DiskOperation::read:
    case DiskOperation::write:
        break;
    }
    for (const iovec& segment : slot.segments)
        slot.left_bytes += segment.iov_len;
    if (cache_ != DiskCacheMode::none)
        return Stage::transfer;
    if ((slot.offset_bytes | slot.left_bytes) % file_.geometry.block_bytes != 0) {
        slot.error = EINVAL;
        return Stage::fail;
    }
    return aligned(slot.segments) ? Stage::transfer : Stage::bounce;
}

bool RawDisk::aligned(std::span<const iovec> segments) const noexcept {
    return std::all_of(segments.begin(), segments.end(), [this](const iovec& segment) {
        return reinterpret_cast<std::uintptr_t>(segment.iov_base) % file_.memory_alignment == 0 &&
               segment.iov_len % file_.geometry.block_bytes == 0;
    });
}

void RawDisk::proceed(std::uint32_t tag) noexcept {
    Slot& slot = slots_[tag];
    const auto transfer_kind =
        slot.operation == DiskOperation::read ? IoCommand::Kind::readv : IoCommand::Kind::writev;
    IoCommand command;
    command.tag = tag;
    command.offset_bytes = slot.offset_bytes;
    command.size_bytes = slot.left_bytes;
    // Without flushes there is nothing durable.
    command.durable = slot.durable && cache_ != DiskCacheMode::unsafe;
    switch (slot.stage) {
    case Stage::transfer:
        command.kind = slot.left_bytes == 0 ? IoCommand::Kind::nothing : transfer_kind;
        command.segments = slot.segments.data();
        command.segment_count = static_cast<std::uint32_t>(slot.segments.size());
        break;
    case Stage::bounce:
        command.kind = transfer_kind;
        if (!take_bounce(tag))
            return; // goes on when another request gives its buffer back
        proceed_bounce(tag, command);
        break;
    case Stage::sync:
        command.kind =
            cache_ == DiskCacheMode::unsafe ? IoCommand::Kind::nothing : IoCommand::Kind::fdatasync;
        break;
    case Stage::discard:
    case Stage::zero_by_punching:
        command.kind = IoCommand::Kind::fallocate;
        command.fallocate_mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
        break;
    case Stage::zero_by_range:
        command.kind = IoCommand::Kind::fallocate;
        command.fallocate_mode = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
        break;
    case Stage::zero_by_writing:
        command.kind = IoCommand::Kind::writev;
        prepare_zeroes(tag, command);
        break;
    case Stage::fail:
        command.kind = IoCommand::Kind::nothing;
        break;
    }
    engine_->start(command);
}

void RawDisk::proceed_bounce(std::uint32_t tag, IoCommand& command) noexcept {
    const Slot& slot = slots_[tag];
    std::byte* const buffer = bounces_.data() + slot.bounce * bounce_bytes;
    const std::size_t size = std::min<std::uint64_t>(slot.left_bytes, bounce_bytes);
    if (slot.operation == DiskOperation::write)
        copy_from_segments(slot.segments, 0, {buffer, size});
    iovec& segment = bounce_segments_[slot.bounce];
    segment = {buffer, size};
    command.segments = &segment;
    command.segment_count = 1;
}

void RawDisk::prepare_zeroes(std::uint32_t tag, IoCommand& command) noexcept {
    const std::span<iovec> space = segment_space(tag);
    std::uint64_t left = slots_[tag].left_bytes;
    std::uint32_t count = 0;
    while (left != 0 && count < space.size()) {
        const std::size_t size = std::min<std::uint64_t>(left, zeroes_bytes);
        space[count++] = {zeroes_.data(), size};
        left -= size;
    }
    command.segments = space.data();
    command.segment_count = count;
}

void RawDisk::reap() noexcept {
    while (const auto completion = engine_->next())
        completed(completion->tag, completion->result);
    engine_->commit(); // what the completions set going
}

void RawDisk::drain() noexcept {
    engine_->commit();
    while (in_flight_ != 0) {
        engine_->wait();
        reap();
    }
}

void RawDisk::completed(std::uint32_t tag, std::int64_t result) noexcept {
    Slot& slot = slots_[tag];
    if ((result == -EINTR || result == -EAGAIN) && slot.retries < max_retries) {
        ++slot.retries;
        proceed(tag);
        return;
    }
    if (result < 0) {
        failed(tag, static_cast<int>(-result));
        return;
    }
    switch (slot.stage) {
    case Stage::transfer:
    case Stage::bounce:
    case Stage::zero_by_writing:
        transferred(tag, static_cast<std::uint64_t>(result));
        return;
    case Stage::zero_by_punching:
    case Stage::zero_by_range:
        if (slot.durable) {
            slot.stage = Stage::sync;
            proceed(tag);
            return;
        }
        break;
    case Stage::sync:
    case Stage::discard:
        break;
    case Stage::fail:
        finish(tag, slot.error);
        return;
    }
    finish(tag, 0);
}

void RawDisk::transferred(std::uint32_t tag, std::uint64_t bytes) noexcept {
    Slot& slot = slots_[tag];
    if (slot.left_bytes == 0) {
        finish(tag, 0);
        return;
    }
    if (bytes == 0 || bytes > slot.left_bytes) {
        finish(tag, EIO); // the end of a file that was longer when it was opened
        return;
    }
    if (slot.stage == Stage::bounce && slot.operation == DiskOperation::read)
        copy_to_segments(slot.segments, 0, {bounces_.data() + slot.bounce * bounce_bytes, bytes});
    slot.retries = 0;
    slot.offset_bytes += bytes;
    slot.left_bytes -= bytes;
    if (slot.left_bytes == 0) {
        finish(tag, 0);
        return;
    }
    if (slot.stage != Stage::zero_by_writing)
        slot.segments = drop_front(slot.segments, bytes);
    proceed(tag);
}

void RawDisk::failed(std::uint32_t tag, int error) noexcept {
    Slot& slot = slots_[tag];
    const bool unsupported = error == EOPNOTSUPP || error == ENOSYS || error == ENODEV;
    if (unsupported && slot.stage == Stage::discard) {
        finish(tag, 0);
        return;
    }
    if (unsupported && slot.stage == Stage::zero_by_punching)
        slot.stage = Stage::zero_by_range;
    else if (unsupported && slot.stage == Stage::zero_by_range)
        slot.stage = Stage::zero_by_writing;
    else {
        finish(tag, error);
        return;
    }
    proceed(tag);
}

void RawDisk::finish(std::uint32_t tag, int error) noexcept {
    --in_flight_;
    give_bounce_back(slots_[tag]);
    if (DiskClient* client = client_.load(std::memory_order_relaxed))
        client->disk_completed(tag, error);
}

bool RawDisk::take_bounce(std::uint32_t tag) noexcept {
    Slot& slot = slots_[tag];
    if (slot.bounce != none)
        return true;
    const auto free = std::find(bounce_taken_.begin(), bounce_taken_.end(), false);
    if (free != bounce_taken_.end()) {
        *free = true;
        slot.bounce = static_cast<std::uint32_t>(free - bounce_taken_.begin());
        return true;
    }
    (last_waiting_ == none ? first_waiting_ : slots_[last_waiting_].next_waiting) = tag;
    last_waiting_ = tag;
    return false;
}

void RawDisk::give_bounce_back(Slot& slot) noexcept {
    if (slot.bounce == none)
        return;
    bounce_taken_[slot.bounce] = false;
    slot.bounce = none;
    if (first_waiting_ == none)
        return;
    const std::uint32_t next = first_waiting_;
    first_waiting_ = slots_[next].next_waiting;
    if (first_waiting_ == none)
        last_waiting_ = none;
    slots_[next].next_waiting = none;
    proceed(next);
}

} // namespace coldstart
