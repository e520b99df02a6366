#include "virtio/core/split_queue.h"

#include "virtio/core/virtio_device.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <atomic>
#include <bit>
#include <cstring>

namespace coldstart {
namespace {

// The driver's CPU reads and writes the rings at the same time as this one. Their alignment was
// checked, so a 16-bit access is atomic. Sequentially consistent accesses stand where the
// specification wants a full barrier; fences would do as well, but ThreadSanitizer knows none.
std::uint16_t load16(std::byte* at, std::memory_order order) noexcept {
    return std::atomic_ref(*reinterpret_cast<std::uint16_t*>(at)).load(order);
}

void store16(std::byte* at, std::uint16_t value, std::memory_order order) noexcept {
    std::atomic_ref(*reinterpret_cast<std::uint16_t*>(at)).store(value, order);
}

virtq::Descriptor load_descriptor(std::span<const std::byte> table, std::uint32_t index) noexcept {
    virtq::Descriptor descriptor;
    std::memcpy(&descriptor, table.data() + std::size_t{index} * sizeof descriptor,
                sizeof descriptor);
    // The copy is what gets checked and used: the compiler must not read the guest's again.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    return descriptor;
}

constexpr std::uint64_t max_chain_bytes = std::uint64_t{1} << 32; // 2.7.4

} // namespace

struct SplitQueue::Walk {
    std::span<iovec> segments;
    DescriptorChain& chain;
    std::size_t used_segments = 0;
    std::size_t readable_segments = 0;
};

SplitQueue::SplitQueue(const GuestMemory& memory, std::uint16_t max_size) noexcept
    : memory_(&memory), max_size_(max_size) {
    state_.size = max_size;
}

void SplitQueue::reset() noexcept {
    state_ = State{};
    state_.size = max_size_;
    seen_avail_ = 0;
    error_ = {};
}

bool SplitQueue::refuse(std::string_view reason) noexcept {
    error_ = reason;
    return false;
}

bool SplitQueue::enable(std::uint64_t features) noexcept {
    state_.indirect = (features & virtio_feature::indirect_desc) != 0;
    state_.event_idx = (features & virtio_feature::event_idx) != 0;
    state_.ready = map_rings();
    return state_.ready;
}

bool SplitQueue::map_rings() noexcept {
    if (!std::has_single_bit(state_.size) || state_.size > max_size_)
        return refuse("a queue size is no power of two or too large");
    if (state_.descriptor_table % virtq::descriptor_alignment != 0 ||
        state_.avail_ring % virtq::avail_alignment != 0 ||
        state_.used_ring % virtq::used_alignment != 0)
        return refuse("a ring is misaligned");

    const auto descriptors =
        memory_->range(descriptor_table(), virtq::descriptor_table_bytes(state_.size));
    const auto avail =
        memory_->range(avail_ring(), virtq::avail_bytes(state_.size, state_.event_idx));
    const auto used = memory_->range(used_ring(), virtq::used_bytes(state_.size, state_.event_idx));
    if (descriptors.empty() || avail.empty() || used.empty())
        return refuse("a ring lies outside RAM");
    descriptors_ = descriptors;
    avail_ = avail.data();
    used_ = used.data();
    seen_avail_ = state_.next_avail;
    return true;
}

bool SplitQueue::fetch_avail_index() noexcept {
    const std::uint16_t index = load16(avail_ + virtq::ring_index, std::memory_order_acquire);
    if (static_cast<std::uint16_t>(index - state_.next_avail) > state_.size)
        return refuse("the avail index ran further ahead than the queue is long");
    seen_avail_ = index;
    return true;
}

bool SplitQueue::has_available() noexcept {
    // A wild index counts: pop() then says what is wrong.
    return seen_avail_ != state_.next_avail || !fetch_avail_index() ||
           seen_avail_ != state_.next_avail;
}

SplitQueue::Pop SplitQueue::pop(std::span<iovec> segments, DescriptorChain& chain) noexcept {
    if (seen_avail_ == state_.next_avail) {
        if (!fetch_avail_index())
            return Pop::broken;
        if (seen_avail_ == state_.next_avail)
            return Pop::empty;
    }
    const std::size_t slot = state_.next_avail & (state_.size - 1u);
    const std::uint16_t head =
        load16(avail_ + virtq::ring_entries + 2 * slot, std::memory_order_relaxed);

    chain = DescriptorChain{};
    chain.head = head;
    Walk walk{segments, chain};
    if (!walk_table(walk, descriptors_, state_.size, head, false))
        return Pop::broken;
    chain.readable = segments.first(walk.readable_segments);
    chain.writable =
        segments.subspan(walk.readable_segments, walk.used_segments - walk.readable_segments);
    ++state_.next_avail;
    return Pop::chain;
}

bool SplitQueue::walk_table(Walk& walk, std::span<const std::byte> table, std::uint32_t entries,
                            std::uint32_t first, bool inside_indirect) noexcept {
    std::uint32_t index = first;
    // A chain that visits more descriptors than the table has must visit one twice.
    for (std::uint32_t visited = 0; visited < entries; ++visited) {
        if (index >= entries)
            return refuse("a descriptor index lies outside its table");
        const virtq::Descriptor descriptor = load_descriptor(table, index);
        if ((descriptor.flags & virtq::desc_indirect) != 0) {
            if (!state_.indirect || inside_indirect)
                return refuse("an indirect descriptor where none is allowed");
            if ((descriptor.flags & virtq::desc_next) != 0)
                return refuse("an indirect descriptor that goes on");
            if (descriptor.length == 0 || descriptor.length % sizeof(virtq::Descriptor) != 0)
                return refuse("an indirect table of an impossible length");
            const auto indirect = memory_->range(Gpa(descriptor.address), descriptor.length);
            if (indirect.empty())
                return refuse("an indirect table outside RAM");
            const auto count =
                static_cast<std::uint32_t>(descriptor.length / sizeof(virtq::Descriptor));
            return walk_table(walk, indirect, count, 0, true);
        }
        if (!add_segment(walk, descriptor))
            return false;
        if ((descriptor.flags & virtq::desc_next) == 0)
            return true;
        index = descriptor.next;
    }
    return refuse("a descriptor chain that runs in a circle");
}

bool SplitQueue::add_segment(Walk& walk, const virtq::Descriptor& descriptor) noexcept {
    if (walk.used_segments == walk.segments.size())
        return refuse("a descriptor chain is too long");
    if (descriptor.length == 0)
        return refuse("a descriptor of no bytes");
    const auto host = memory_->range(Gpa(descriptor.address), descriptor.length);
    if (host.empty())
        return refuse("a buffer outside RAM");

    DescriptorChain& chain = walk.chain;
    const bool writable = (descriptor.flags & virtq::desc_write) != 0;
    if (writable) {
        chain.writable_bytes += descriptor.length;
    } else {
        if (walk.used_segments != walk.readable_segments)
            return refuse("a readable descriptor after a writable one");
        chain.readable_bytes += descriptor.length;
        ++walk.readable_segments;
    }
    if (chain.readable_bytes + chain.writable_bytes > max_chain_bytes)
        return refuse("a descriptor chain of more than 4 GiB");
    walk.segments[walk.used_segments++] = iovec{host.data(), host.size()};
    return true;
}

void SplitQueue::push_used(std::uint16_t head, std::uint32_t written) noexcept {
    const std::size_t slot = state_.next_used & (state_.size - 1u);
    const virtq::UsedElement element{head, written};
    std::memcpy(used_ + virtq::ring_entries + slot * sizeof element, &element, sizeof element);
    ++state_.next_used;
}

bool SplitQueue::publish() noexcept {
    const std::uint16_t old = state_.published_used;
    const std::uint16_t now = state_.next_used;
    if (now == old)
        return false;
    // The driver must see the entries before the index, and the index before we look whether it
    // wants to hear of it (2.7.10): a driver that stops suppressing interrupts looks again itself.
    store16(used_ + virtq::ring_index, now, std::memory_order_seq_cst);
    state_.published_used = now;
    if (!state_.event_idx)
        return (load16(avail_ + virtq::ring_flags, std::memory_order_seq_cst) &
                virtq::avail_no_interrupt) == 0;
    const std::uint16_t used_event = load16(
        avail_ + virtq::ring_entries + std::size_t{2} * state_.size, std::memory_order_seq_cst);
    return virtq::need_event(used_event, now, old);
}

void SplitQueue::disable_notifications() noexcept {
    // With EVENT_IDX nothing is to be done: avail_event stays behind and the driver keeps quiet.
    if (!state_.event_idx)
        store16(used_ + virtq::ring_flags, virtq::used_no_notify, std::memory_order_relaxed);
}

bool SplitQueue::enable_notifications() noexcept {
    if (state_.event_idx)
        store16(used_ + virtq::ring_entries + std::size_t{8} * state_.size, state_.next_avail,
                std::memory_order_seq_cst);
    else
        store16(used_ + virtq::ring_flags, 0, std::memory_order_seq_cst);
    // A chain the driver added before it saw the store was not announced: look again.
    return load16(avail_ + virtq::ring_index, std::memory_order_seq_cst) != state_.next_avail;
}

void SplitQueue::save(StateWriter& writer) const {
    writer.begin("virtqueue", 1);
    const auto& [size, ready, descriptors, avail, used, next_avail, next_used, published, indirect,
                 event_idx] = state_;
    writer.fields(size, ready, descriptors, avail, used, next_avail, next_used, published, indirect,
                  event_idx);
}

void SplitQueue::restore(StateReader& reader) {
    reader.begin("virtqueue", 1);
    auto& [size, ready, descriptors, avail, used, next_avail, next_used, published, indirect,
           event_idx] = state_;
    reader.fields(size, ready, descriptors, avail, used, next_avail, next_used, published, indirect,
                  event_idx);
    if (ready && !map_rings()) {
        const std::string_view reason = error_;
        reset();
        throw Error(cat("saved state: virtqueue: ", reason),
                    "the file is damaged or comes from another configuration");
    }
}

} // namespace coldstart
