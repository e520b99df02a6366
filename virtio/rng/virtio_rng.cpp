#include "virtio/rng/virtio_rng.h"

#include <algorithm>
#include <cerrno>
#include <mutex>

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

VirtioRng::VirtioRng(const VirtioRngOptions& options)
    : throttle_(options.clock, options.limit, [this] { limit_passed(); }) {}

bool VirtioRng::activate(const VirtioActivation& activation) noexcept {
    active_.emplace(activation);
    return true;
}

void VirtioRng::deactivate() noexcept {
    throttle_.stop();
    active_.reset();
}

void VirtioRng::set_rate_limit(const RateLimitUpdate& update) {
    throttle_.prepare(update);
    const std::lock_guard guard(lock());
    throttle_.update(update);
}

RateLimitOptions VirtioRng::rate_limit() {
    const std::lock_guard guard(lock());
    return throttle_.limit();
}

void VirtioRng::limit_passed() noexcept {
    const std::lock_guard guard(lock());
    throttle_.expired();
    counts_.limit_events.add();
    if (active_)
        active_->notifier.queue_again(0);
}

void VirtioRng::process_queue(unsigned index) noexcept {
    SplitQueue& queue = active_->queues[index];
    take_turn(
        queue, index, active_->notifier, segments_, chains_a_turn,
        [&](const DescriptorChain& chain) { return fill(queue, chain); },
        [this](std::string_view reason) { fail(reason); });
}

void VirtioRng::fail(std::string_view reason) noexcept {
    counts_.broken.add();
    active_->notifier.needs_reset(reason);
}

/// It waits for the limit's timer.
Served VirtioRng::fill(SplitQueue& queue, const DescriptorChain& chain) noexcept {
    if (chain.writable.empty()) {
        fail("an entropy buffer that can't be written");
        return Served::failed;
    }
    const std::uint64_t wanted = std::min<std::uint64_t>(chain.writable_bytes, max_fill_bytes);
    if (!throttle_.admit(wanted, 1))
        return Served::wait;
    const std::uint32_t filled = fill_random(chain.writable);
    throttle_.charge(filled, 1);
    counts_.buffers.add();
    counts_.bytes.add(filled);
    if (filled != wanted)
        counts_.host_fails.add();
    queue.push_used(chain.head, filled);
    return Served::done;
}

VirtioDevice::Counters VirtioRng::counters() const {
    return {{"entropy_event_count", counts_.buffers.get()},
            {"entropy_bytes", counts_.bytes.get()},
            {"entropy_event_fails", counts_.broken.get()},
            {"host_rng_fails", counts_.host_fails.get()},
            {"entropy_rate_limiter_throttled", held_count()},
            {"rate_limiter_event_count", counts_.limit_events.get()}};
}

void VirtioRng::save(StateWriter& writer) const {
    writer.begin("virtio-rng", 2);
    throttle_.save(writer);
}

void VirtioRng::restore(StateReader& reader) {
    if (reader.begin("virtio-rng", 2) >= 2)
        throttle_.restore(reader);
}

} // namespace coldstart
