// The device I/O thread: one epoll loop that every device backend shares.
// Threads: as Reactor says. The loop's thread starts with start() and is joined by stop().
#pragma once

#include "vmm/base/reactor.h"
#include "vmm/base/unique_fd.h"

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

namespace coldstart {

class IoLoop final : public Reactor {
  public:
    IoLoop();
    ~IoLoop() override;

    void start();
    /// Ends the loop after the current callback, without waiting for it. Posted tasks that have
    /// not run are dropped.
    void ask_to_stop() noexcept;
    /// The same, and joins its thread.
    void stop() noexcept;

    std::unique_ptr<Watch> watch(int fd, std::uint32_t poll_events,
                                 std::function<void(std::uint32_t)> on_ready) override;
    void post(std::function<void()> task) override;

  private:
    class LoopWatch;
    using Callback = std::shared_ptr<std::function<void(std::uint32_t)>>;

    void run() noexcept;
    void dispatch(std::uint64_t id, std::uint32_t events);
    void run_tasks();
    void forget(std::uint64_t id, int fd) noexcept;
    void wake() noexcept;

    UniqueFd epoll_;
    UniqueFd wakeup_;
    std::thread thread_;

    std::mutex mutex_;
    std::condition_variable callback_done_;
    std::unordered_map<std::uint64_t, Callback> callbacks_;
    std::uint64_t next_id_ = 1;    // 0 is the wake-up descriptor
    std::uint64_t running_id_ = 0; // whose callback runs now; 0: none
    std::vector<std::function<void()>> tasks_;
    bool stopping_ = false;
};

} // namespace coldstart
