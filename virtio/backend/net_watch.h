// What network backends on a descriptor share: waiting for frames and for room.
// Threads: set from any; the client is called on the I/O thread.
#pragma once

#include "virtio/backend/net_backend.h"
#include "vmm/base/reactor.h"

#include <memory>
#include <mutex>

#include <poll.h>

namespace coldstart {

class NetWatch {
  public:
    explicit NetWatch(Reactor& reactor) noexcept : reactor_(reactor) {}

    void start(int fd, NetClient& client) {
        watch_ = reactor_.watch(fd, 0, [this, &client](std::uint32_t events) {
            if ((events & POLLOUT) != 0) {
                set(POLLOUT, false);
                client.room_again();
            }
            if ((events & ~static_cast<std::uint32_t>(POLLOUT)) != 0)
                client.frames_wait(); // also for an error: receive() finds out which
        });
    }
    void stop() noexcept { watch_.reset(); }

    /// Waits for POLLIN or POLLOUT, or does not any more.
    void set(std::uint32_t event, bool wanted) noexcept {
        const std::lock_guard guard(mutex_);
        const std::uint32_t events = wanted ? events_ | event : events_ & ~event;
        if (events == events_ || watch_ == nullptr)
            return;
        events_ = events;
        watch_->set_events(events);
    }

  private:
    Reactor& reactor_;
    std::mutex mutex_;
    std::uint32_t events_ = 0;
    std::unique_ptr<Watch> watch_; ///< last: ends before anything its callback uses
};

} // namespace coldstart
