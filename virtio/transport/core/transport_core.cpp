#include "virtio/transport/core/transport_core.h"

#include <cerrno>

#include <poll.h>
#include <sys/eventfd.h>

namespace coldstart {

TransportCore::TransportCore(std::unique_ptr<VirtioDevice> device, const GuestMemory& memory,
                             VirtioSignals& signals, Reactor& reactor)
    : device_(std::move(device)), state_(*device_, memory, signals) {
    for (unsigned index = 0; index < state_.queue_count(); ++index) {
        kicks_.emplace_back(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
        if (!kicks_.back())
            throw system_error("eventfd of a virtio queue", errno);
    }
    // Only now: the I/O thread may call back from here on.
    for (unsigned index = 0; index < state_.queue_count(); ++index)
        watches_.push_back(reactor.watch(kicks_[index].get(), POLLIN,
                                         [this, index](std::uint32_t) { kicked(index); }));
}

void TransportCore::kicked(unsigned index) noexcept {
    std::uint64_t count = 0;
    if (::read(kicks_[index].get(), &count, sizeof count) != sizeof count)
        return;
    const std::lock_guard guard(lock());
    state_.process_queue(index);
}

void TransportCore::wake(std::uint32_t index) noexcept {
    if (index >= kicks_.size())
        return;
    const std::uint64_t one = 1;
    // Fails only when the counter is full, and then the descriptor is readable anyway.
    [[maybe_unused]] const auto written = ::write(kicks_[index].get(), &one, sizeof one);
}

void TransportCore::start() {
    const std::lock_guard guard(lock());
    state_.wake_all(); // after a restore
}

void TransportCore::pause() {
    const std::lock_guard guard(lock());
    state_.pause();
}

bool TransportCore::drained() {
    const std::lock_guard guard(lock());
    return state_.drained();
}

void TransportCore::resume() {
    const std::lock_guard guard(lock());
    state_.resume();
}

void TransportCore::halt() {
    // A watch waits for its callback, which takes the lock: end them before taking it.
    watches_.clear();
    const std::lock_guard guard(lock());
    state_.reset();
}

} // namespace coldstart
