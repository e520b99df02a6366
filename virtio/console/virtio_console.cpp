#include "virtio/console/virtio_console.h"

#include "virtio/core/config_space.h"

#include <algorithm>

namespace coldstart {
namespace {

constexpr std::array<std::uint16_t, 2> sizes{128, 128};
constexpr std::uint64_t feature_size = 1ull << 0; // VIRTIO_CONSOLE_F_SIZE

} // namespace

VirtioConsole::VirtioConsole(ByteStream& stream, VirtioConsoleOptions options)
    : stream_(stream), options_(options) {
    stream_.set_sink(this);
}

VirtioConsole::~VirtioConsole() {
    stream_.set_sink(nullptr);
}

std::uint64_t VirtioConsole::features() const noexcept {
    return virtio_feature::indirect_desc | virtio_feature::event_idx | feature_size;
}

std::span<const std::uint16_t> VirtioConsole::queue_sizes() const noexcept {
    return sizes;
}

void VirtioConsole::resize(std::uint16_t columns, std::uint16_t rows) noexcept {
    const std::lock_guard guard(lock());
    options_ = {columns, rows};
    if (active_)
        active_->notifier.config_changed();
}

void VirtioConsole::read_config(std::uint64_t offset, std::span<std::byte> out) noexcept {
    std::array<std::byte, 4> config{};
    store_le(std::span<std::byte>(config), 0, options_.columns);
    store_le(std::span<std::byte>(config), 2, options_.rows);
    read_config_bytes(config, offset, out);
}

bool VirtioConsole::activate(const VirtioActivation& activation) noexcept {
    active_.emplace(activation);
    failed_ = false;
    return true;
}

void VirtioConsole::deactivate() noexcept {
    active_.reset();
    transmitted_ = 0;
}

void VirtioConsole::process_queue(unsigned index) noexcept {
    if (!queue_working(index))
        return;
    if (index == transmit_queue)
        transmit();
    else
        stream_.input_wanted();
}

void VirtioConsole::fail(std::string_view reason) noexcept {
    failed_ = true;
    active_->notifier.needs_reset(reason);
}

bool VirtioConsole::pop(SplitQueue& queue, DescriptorChain& chain) noexcept {
    const SplitQueue::Pop pop = queue.pop(segments_, chain);
    if (pop == SplitQueue::Pop::broken)
        fail(queue.error());
    return pop == SplitQueue::Pop::chain;
}

void VirtioConsole::publish(unsigned index) noexcept {
    if (active_->queues[index].publish())
        active_->notifier.queue_used(index);
}

void VirtioConsole::transmit() noexcept {
    SplitQueue& queue = active_->queues[transmit_queue];
    take_turn(
        queue, transmit_queue, active_->notifier, segments_, queue.size(),
        [&](const DescriptorChain& chain) { return transmit_chain(queue, chain); },
        [this](std::string_view reason) { fail(reason); });
}

/// It waits when the stream is full: for output_ready().
Served VirtioConsole::transmit_chain(SplitQueue& queue, const DescriptorChain& chain) noexcept {
    std::uint64_t skip = transmitted_;
    for (const iovec& segment : chain.readable) {
        if (skip >= segment.iov_len) {
            skip -= segment.iov_len;
            continue;
        }
        const ByteView bytes(static_cast<const std::byte*>(segment.iov_base) + skip,
                             segment.iov_len - skip);
        skip = 0;
        const std::size_t taken = std::min(stream_.write(bytes), bytes.size());
        transmitted_ += taken;
        if (taken != bytes.size())
            return Served::wait;
    }
    queue.push_used(chain.head, 0);
    transmitted_ = 0;
    return Served::done;
}

void VirtioConsole::output_ready() noexcept {
    const std::lock_guard guard(lock());
    if (queue_working(transmit_queue))
        transmit();
}

std::size_t VirtioConsole::input_room() noexcept {
    const std::lock_guard guard(lock());
    if (!queue_working(receive_queue))
        return 0;
    SplitQueue& queue = active_->queues[receive_queue];
    DescriptorChain chain;
    // When there is no buffer the driver is asked to kick for the next one.
    while (!pop(queue, chain)) {
        if (failed_ || !queue.enable_notifications())
            return 0;
    }
    queue.undo_pop();
    if (chain.writable.empty()) {
        fail("a receive buffer that can't be written");
        return 0;
    }
    return chain.writable_bytes;
}

void VirtioConsole::input(ByteView bytes) noexcept {
    const std::lock_guard guard(lock());
    if (!queue_working(receive_queue))
        return;
    SplitQueue& queue = active_->queues[receive_queue];
    DescriptorChain chain;
    // One chain, as input_room() promised, unless the driver changed it since: then what does not
    // fit in the buffers there are is the driver's loss.
    for (unsigned left = queue.size(); left != 0 && !bytes.empty() && pop(queue, chain); --left) {
        const std::size_t copied = copy_to_segments(chain.writable, 0, bytes);
        queue.push_used(chain.head, static_cast<std::uint32_t>(copied));
        bytes = bytes.subspan(copied);
    }
    publish(receive_queue);
}

void VirtioConsole::save(StateWriter& writer) const {
    writer.begin("virtio-console", 1);
    writer.fields(transmitted_, options_.columns, options_.rows);
}

void VirtioConsole::restore(StateReader& reader) {
    reader.begin("virtio-console", 1);
    reader.fields(transmitted_, options_.columns, options_.rows);
}

} // namespace coldstart
