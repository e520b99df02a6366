// One turn of a device at a queue: chain after chain, until none is left, the turn has been long
// enough, or the device has to wait.
//
// While it lasts the driver need not notify; what was used is published once at its end. A turn
// that was too short for the queue asks for another, so that a busy queue does not hold the I/O
// thread.
// Threads: under the device lock, as SplitQueue.
#pragma once

#include "virtio/core/split_queue.h"
#include "virtio/core/virtio_device.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace coldstart {

/// What became of a chain.
enum class Served : std::uint8_t {
    done,
    /// The device can't take it now and gets it again later. Whatever it waits for asks for another
    /// turn; until then kicks change nothing, so the driver is not asked for them.
    wait,
    failed, ///< the device has asked for a reset
};

/// `most`: chains in this turn. `serve(chain)` says what became of one; `fail(reason)` is told that
/// the driver broke the queue. `segments` limits how many segments a chain may have.
template <typename Serve, typename Fail>
void take_turn(SplitQueue& queue, unsigned index, VirtioNotifier& notifier,
               std::span<iovec> segments, unsigned most, Serve serve, Fail fail) noexcept {
    Served last = Served::done;
    bool more = true;
    while (more && most != 0 && last == Served::done) {
        queue.disable_notifications();
        SplitQueue::Pop pop = SplitQueue::Pop::chain;
        DescriptorChain chain;
        for (; most != 0 && last == Served::done; --most) {
            pop = queue.pop(segments, chain);
            if (pop != SplitQueue::Pop::chain)
                break;
            last = serve(chain);
        }
        if (pop == SplitQueue::Pop::broken) {
            fail(queue.error());
            last = Served::failed;
        }
        if (last == Served::wait)
            queue.undo_pop();
        more = last == Served::done && queue.enable_notifications();
    }
    if (more)
        notifier.queue_again(index);
    if (queue.publish())
        notifier.queue_used(index);
}

} // namespace coldstart
