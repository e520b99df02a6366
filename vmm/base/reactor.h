// The device I/O thread as devices and backends see it: watch a file descriptor, post a task.
// Callbacks run on that thread, one at a time. The implementation is vmm/runtime's event loop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace coldstart {

/// A watched descriptor; destroying it ends the watch. After the destructor has returned the
/// callback is not running and will not run again (from the reactor's own thread: after the
/// current callback returns).
class Watch {
  public:
    virtual ~Watch() = default;

    /// Change which conditions are watched (poll's POLLIN, POLLOUT; 0: none for now).
    virtual void set_events(std::uint32_t poll_events) noexcept = 0;
};

class Reactor {
  public:
    virtual ~Reactor() = default;

    /// Call `on_ready(poll_events)` whenever `fd`, which the caller keeps open, is ready.
    /// Throws Error when the descriptor can't be watched. Any thread.
    virtual std::unique_ptr<Watch> watch(int fd, std::uint32_t poll_events,
                                         std::function<void(std::uint32_t)> on_ready) = 0;

    /// Run `task` on the reactor's thread, soon. Any thread.
    virtual void post(std::function<void()> task) = 0;
};

} // namespace coldstart
