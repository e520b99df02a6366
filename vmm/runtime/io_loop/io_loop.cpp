#include "vmm/runtime/io_loop/io_loop.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <array>
#include <cerrno>

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

namespace coldstart {

class IoLoop::LoopWatch final : public Watch {
  public:
    LoopWatch(IoLoop& loop, int fd, std::uint64_t id) : loop_(loop), fd_(fd), id_(id) {}
    ~LoopWatch() override { loop_.forget(id_, fd_); }

    void set_events(std::uint32_t poll_events) noexcept override {
        const std::lock_guard guard(mutex_);
        if (poll_events == 0 && !watched_)
            return;
        epoll_event event{};
        event.events = poll_events;
        event.data.u64 = id_;
        // A descriptor in the set reports hang-ups and errors whatever it is watched for: to be
        // watched for nothing it has to leave.
        const int operation = poll_events == 0 ? EPOLL_CTL_DEL
                              : watched_       ? EPOLL_CTL_MOD
                                               : EPOLL_CTL_ADD;
        ::epoll_ctl(loop_.epoll_.get(), operation, fd_, &event);
        watched_ = poll_events != 0;
    }

  private:
    IoLoop& loop_;
    int fd_;
    std::uint64_t id_;
    std::mutex mutex_;
    bool watched_ = true;
};

IoLoop::IoLoop()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wakeup_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!epoll_ || !wakeup_)
        throw system_error("the I/O loop's descriptors", errno, "raise the limit (ulimit -n)");
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = 0;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wakeup_.get(), &event) < 0)
        throw system_error("the I/O loop: epoll_ctl", errno);
}

IoLoop::~IoLoop() {
    stop();
}

void IoLoop::start() {
    thread_ = std::thread([this] {
        // By the thread itself this is one call; by another it is a file of /proc.
        ::pthread_setname_np(::pthread_self(), "io");
        run();
    });
}

void IoLoop::ask_to_stop() noexcept {
    {
        const std::lock_guard guard(mutex_);
        stopping_ = true;
    }
    wake();
}

void IoLoop::stop() noexcept {
    if (!thread_.joinable())
        return;
    ask_to_stop();
    thread_.join();
}

std::unique_ptr<Watch> IoLoop::watch(int fd, std::uint32_t poll_events,
                                     std::function<void(std::uint32_t)> on_ready) {
    std::uint64_t id = 0;
    {
        const std::lock_guard guard(mutex_);
        id = next_id_++;
        callbacks_.emplace(
            id, std::make_shared<std::function<void(std::uint32_t)>>(std::move(on_ready)));
    }
    // poll's and epoll's event bits are the same numbers (Linux uapi eventpoll.h).
    epoll_event event{};
    event.events = poll_events;
    event.data.u64 = id;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) < 0) {
        const int error_number = errno;
        forget(id, -1);
        throw system_error(cat("watching descriptor ", fd), error_number);
    }
    auto watch = std::make_unique<LoopWatch>(*this, fd, id);
    if (poll_events == 0)
        watch->set_events(0);
    return watch;
}

void IoLoop::forget(std::uint64_t id, int fd) noexcept {
    if (fd >= 0)
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    std::unique_lock lock(mutex_);
    const auto it = callbacks_.find(id);
    // Destroyed outside the lock: what the callback holds may have watches of its own.
    const Callback callback = it == callbacks_.end() ? nullptr : std::move(it->second);
    if (it != callbacks_.end())
        callbacks_.erase(it);
    if (std::this_thread::get_id() != thread_.get_id())
        callback_done_.wait(lock, [&] { return running_id_ != id; });
    lock.unlock();
}

void IoLoop::post(std::function<void()> task) {
    {
        const std::lock_guard guard(mutex_);
        tasks_.push_back(std::move(task));
    }
    wake();
}

void IoLoop::wake() noexcept {
    const std::uint64_t one = 1;
    // Can only fail when the counter is full, and then the loop wakes anyway.
    [[maybe_unused]] const auto written = ::write(wakeup_.get(), &one, sizeof one);
}

void IoLoop::run_tasks() {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(wakeup_.get(), &count, sizeof count);
    std::vector<std::function<void()>> tasks;
    {
        const std::lock_guard guard(mutex_);
        tasks.swap(tasks_);
    }
    for (auto& task : tasks)
        task();
}

void IoLoop::dispatch(std::uint64_t id, std::uint32_t events) {
    Callback callback;
    {
        const std::lock_guard guard(mutex_);
        const auto it = callbacks_.find(id);
        if (it == callbacks_.end())
            return; // forgotten after epoll_wait had reported it
        callback = it->second;
        running_id_ = id;
    }
    (*callback)(events);
    callback.reset();
    {
        const std::lock_guard guard(mutex_);
        running_id_ = 0;
    }
    callback_done_.notify_all();
}

void IoLoop::run() noexcept {
    std::array<epoll_event, 64> events;
    for (;;) {
        const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), -1);
        for (int i = 0; i < count; ++i) {
            const epoll_event& event = events[static_cast<std::size_t>(i)];
            if (event.data.u64 == 0)
                run_tasks();
            else
                dispatch(event.data.u64, event.events);
        }
        const std::lock_guard guard(mutex_);
        if (stopping_)
            return;
    }
}

} // namespace coldstart
