// The device's side of a split virtqueue.
// Source: virtio 1.2, section 2.7, with VIRTIO_F_INDIRECT_DESC and VIRTIO_F_EVENT_IDX.
//
// The transport sets size and addresses and enables the queue; enable() checks that the rings lie
// in guest memory, once, and keeps host pointers (guest memory never moves). From then on a device
// pops chains, pushes used buffers, and publishes them in batches:
//
//     do {
//         queue.disable_notifications();
//         while (queue.pop(segments, chain) == SplitQueue::Pop::chain) ... queue.push_used(...)
//     } while (queue.enable_notifications());
//     if (queue.publish()) notifier.queue_used(index);
//
// queue_turn.h is this loop, for devices that serve one chain after the other.
//
// The rings belong to a driver that may be hostile: every index and descriptor is read once and
// checked. A chain that breaks the rules yields Pop::broken, and the device asks for a reset.
//
// Missing: packed virtqueues, VIRTIO_F_RING_RESET, VIRTIO_F_IN_ORDER.
// Threads: the device lock guards a queue. Nothing here allocates, blocks or throws but restore().
#pragma once

#include "virtio/core/descriptor_chain.h"
#include "virtio/core/spec.h"
#include "vmm/base/guest_memory.h"
#include "vmm/base/state_io.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace coldstart {

class SplitQueue {
  public:
    enum class Pop { empty, chain, broken };

    /// `memory` outlives the queue; `max_size` is a power of two up to 32768.
    SplitQueue(const GuestMemory& memory, std::uint16_t max_size) noexcept;

    // The transport's side. Size and addresses are taken as they come and checked by enable().
    std::uint16_t max_size() const noexcept { return max_size_; }
    std::uint16_t size() const noexcept { return state_.size; }
    bool ready() const noexcept { return state_.ready; }
    void set_size(std::uint16_t size) noexcept { state_.size = size; }
    Gpa descriptor_table() const noexcept { return Gpa(state_.descriptor_table); }
    Gpa avail_ring() const noexcept { return Gpa(state_.avail_ring); }
    Gpa used_ring() const noexcept { return Gpa(state_.used_ring); }
    void set_descriptor_table(Gpa gpa) noexcept { state_.descriptor_table = gpa.value; }
    void set_avail_ring(Gpa gpa) noexcept { state_.avail_ring = gpa.value; }
    void set_used_ring(Gpa gpa) noexcept { state_.used_ring = gpa.value; }

    /// Puts the queue to use with the negotiated `features`; false, with the reason in error(),
    /// when its size or a ring is impossible.
    bool enable(std::uint64_t features) noexcept;
    void disable() noexcept { state_.ready = false; }
    /// Back to the state of power-on.
    void reset() noexcept;

    // The device's side; only while ready.

    /// Takes the next chain. Its segments go into `segments`, which limits how many it may have.
    Pop pop(std::span<iovec> segments, DescriptorChain& chain) noexcept;
    /// Gives the chain popped last back to the queue: the next pop yields it again.
    void undo_pop() noexcept { --state_.next_avail; }
    /// True when a chain waits.
    bool has_available() noexcept;
    /// Why enable() or pop() refused.
    std::string_view error() const noexcept { return error_; }

    /// Puts a chain in the used ring; the driver sees it after publish(). `written` counts the
    /// bytes written from the start of its writable part.
    void push_used(std::uint16_t head, std::uint32_t written) noexcept;
    /// Shows the driver what was pushed; true when it wants an interrupt for it.
    bool publish() noexcept;

    /// While the device works through the queue, the driver need not notify it.
    void disable_notifications() noexcept;
    /// Asks to be notified of the next chain; true when one came in the meantime.
    bool enable_notifications() noexcept;

    void save(StateWriter& writer) const;
    void restore(StateReader& reader);

  private:
    struct State {
        std::uint16_t size = 0;
        bool ready = false;
        std::uint64_t descriptor_table = 0;
        std::uint64_t avail_ring = 0;
        std::uint64_t used_ring = 0;
        std::uint16_t next_avail = 0;     ///< the avail entry to pop next
        std::uint16_t next_used = 0;      ///< the used entry to push next
        std::uint16_t published_used = 0; ///< used.idx as the driver sees it
        bool indirect = false;            ///< negotiated
        bool event_idx = false;           ///< negotiated
    };

    struct Walk;

    bool map_rings() noexcept;
    bool refuse(std::string_view reason) noexcept;
    bool fetch_avail_index() noexcept;
    bool walk_table(Walk& walk, std::span<const std::byte> table, std::uint32_t entries,
                    std::uint32_t first, bool inside_indirect) noexcept;
    bool add_segment(Walk& walk, const virtq::Descriptor& descriptor) noexcept;

    const GuestMemory* memory_;
    std::uint16_t max_size_;
    State state_;
    std::uint16_t seen_avail_ = 0; ///< avail.idx when last looked at
    std::string_view error_;

    std::span<std::byte> descriptors_;
    std::byte* avail_ = nullptr;
    std::byte* used_ = nullptr;
};

} // namespace coldstart
