#include "virtio/rng/virtio_rng.h"

#include <algorithm>
#include <cerrno>

#include <sys/random.h>

namespace coldstart {
namespace {

constexpr std::array<std::uint16_t, 1> sizes{64};
constexpr unsigned chains_a_turn = 8;

/// Fills the front of `segments`; how many bytes in a row were filled.
std::uint32_t fill_random(std::span<const iovec> segments) noexcept {
    std::size_t total = 0;
    for (const iovec& segment : segments) {
        auto* at = static_cast<std::byte*>(segment.iov_base);
        std::size_t left = std::min(segment.iov_len, VirtioRng::max_fill_bytes - total);
        while (left != 0) {
            // Never waits: the host's pool has been ready since its boot.
            const ssize_t got = ::getrandom(at, left, GRND_NONBLOCK);
            if (got < 0 && errno == EINTR)
                continue;
            if (got <= 0)
                return static_cast<std::uint32_t>(total);
            at += got;
            left -= static_cast<std::size_t>(got);
            total += static_cast<std::size_t>(got);
        }
    }
    return static_cast<std::uint32_t>(total);
}

} // namespace

std::span<const std::uint16_t> VirtioRng::queue_sizes() const noexcept {
    return sizes;
}

bool VirtioRng::activate(const VirtioActivation& activation) noexcept {
    active_.emplace(activation);
    return true;
}

void VirtioRng::process_queue(unsigned index) noexcept {
    SplitQueue& queue = active_->queues[index];
    unsigned left = chains_a_turn;
    bool more = true;
    while (more && left != 0) {
        queue.disable_notifications();
        DescriptorChain chain;
        while (left != 0) {
            const SplitQueue::Pop pop = queue.pop(segments_, chain);
            if (pop == SplitQueue::Pop::empty)
                break;
            if (pop == SplitQueue::Pop::broken) {
                active_->notifier.needs_reset(queue.error());
                return;
            }
            if (chain.writable.empty()) {
                active_->notifier.needs_reset("an entropy buffer that can't be written");
                return;
            }
            queue.push_used(chain.head, fill_random(chain.writable));
            --left;
        }
        more = queue.enable_notifications();
    }
    if (more)
        active_->notifier.queue_again(index);
    if (queue.publish())
        active_->notifier.queue_used(index);
}

} // namespace coldstart
