// Hand-driven stand-ins for what the machine gives a device: a line that remembers, a clock that
// moves when told, a reactor that runs on the caller's thread.
#pragma once

#include "vmm/base/clock.h"
#include "vmm/base/irq_line.h"
#include "vmm/base/power.h"
#include "vmm/base/reactor.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <poll.h>

namespace coldstart::fakes {

class FakeIrqLine final : public IrqLine {
  public:
    void set_level(bool asserted) noexcept override {
        if (asserted && !level)
            ++rising_edges;
        level = asserted;
    }

    std::atomic<bool> level = false;
    std::atomic<unsigned> rising_edges = 0;
};

class FakePower final : public PowerControl {
  public:
    void power_off() noexcept override { ++power_offs; }
    void reset() noexcept override { ++resets; }
    void guest_panicked() noexcept override { ++panics; }
    void exit_with(std::uint8_t status) noexcept override {
        exit_status = status;
        ++exits;
    }

    std::atomic<unsigned> power_offs = 0, resets = 0, panics = 0, exits = 0, exit_status = 0;
};

/// Time moves only by advance(), which fires due timers in order of their deadlines.
class FakeClock final : public Clock {
  public:
    std::uint64_t now_ns() const noexcept override { return now_; }
    std::int64_t wall_ns() const noexcept override {
        return wall_start_ns + static_cast<std::int64_t>(now_);
    }
    std::unique_ptr<Timer> make_timer(std::function<void()> on_expiry) override {
        return std::make_unique<FakeTimer>(*this, std::move(on_expiry));
    }

    void advance(std::uint64_t by_ns) {
        const std::uint64_t target = now_ + by_ns;
        for (;;) {
            FakeTimer* due = nullptr;
            for (FakeTimer* timer : timers_) {
                if (timer->armed && timer->deadline_ns <= target &&
                    (due == nullptr || timer->deadline_ns < due->deadline_ns))
                    due = timer;
            }
            if (due == nullptr)
                break;
            now_ = std::max(now_, due->deadline_ns);
            due->armed = false;
            due->on_expiry();
        }
        now_ = target;
    }

    /// 2026-01-02 03:04:05 UTC, a Friday.
    std::int64_t wall_start_ns = 1767323045ll * 1'000'000'000;

  private:
    struct FakeTimer final : Timer {
        FakeTimer(FakeClock& owner, std::function<void()> callback)
            : clock(owner), on_expiry(std::move(callback)) {
            clock.timers_.push_back(this);
        }
        ~FakeTimer() override { std::erase(clock.timers_, this); }
        void arm(std::uint64_t deadline) noexcept override {
            deadline_ns = deadline;
            armed = true;
        }
        void cancel() noexcept override { armed = false; }

        FakeClock& clock;
        std::function<void()> on_expiry;
        std::uint64_t deadline_ns = 0;
        bool armed = false;
    };

    std::uint64_t now_ = 1'000'000'000;
    std::vector<FakeTimer*> timers_;
};

/// Runs nothing by itself: run_until_idle() polls every watched descriptor and runs what is due.
class FakeReactor final : public Reactor {
  public:
    std::unique_ptr<Watch> watch(int fd, std::uint32_t poll_events,
                                 std::function<void(std::uint32_t)> on_ready) override {
        auto watch = std::make_unique<FakeWatch>(*this, fd, poll_events, std::move(on_ready));
        watches_.push_back(watch.get());
        return watch;
    }
    void post(std::function<void()> task) override {
        const std::lock_guard guard(mutex_);
        tasks_.push_back(std::move(task));
    }

    /// Polls up to `timeout_ms` for something to do, then until nothing is left; how many
    /// callbacks ran.
    unsigned run_until_idle(int timeout_ms = 0) {
        unsigned ran = 0;
        for (;;) {
            const unsigned round = run_once(timeout_ms);
            if (round == 0)
                return ran;
            ran += round;
            timeout_ms = 0;
        }
    }

  private:
    struct FakeWatch final : Watch {
        FakeWatch(FakeReactor& owner, int watched_fd, std::uint32_t poll_events,
                  std::function<void(std::uint32_t)> callback)
            : reactor(owner), fd(watched_fd), events(poll_events), on_ready(std::move(callback)) {}
        ~FakeWatch() override { std::erase(reactor.watches_, this); }
        void set_events(std::uint32_t poll_events) noexcept override { events = poll_events; }

        FakeReactor& reactor;
        int fd;
        std::uint32_t events;
        std::function<void(std::uint32_t)> on_ready;
    };

    unsigned run_once(int timeout_ms) {
        std::deque<std::function<void()>> tasks;
        {
            const std::lock_guard guard(mutex_);
            tasks.swap(tasks_);
        }
        for (auto& task : tasks)
            task();
        unsigned ran = static_cast<unsigned>(tasks.size());

        const std::vector<FakeWatch*> snapshot = watches_;
        std::vector<pollfd> fds;
        fds.reserve(snapshot.size());
        for (const FakeWatch* watch : snapshot)
            fds.push_back(
                {watch->events == 0 ? -1 : watch->fd, static_cast<short>(watch->events), 0});
        if (::poll(fds.data(), fds.size(), ran != 0 ? 0 : timeout_ms) <= 0)
            return ran;
        for (std::size_t i = 0; i < snapshot.size(); ++i) {
            const bool alive =
                std::find(watches_.begin(), watches_.end(), snapshot[i]) != watches_.end();
            if (fds[i].revents != 0 && alive) {
                // A copy: the callback may destroy its own watch.
                auto callback = snapshot[i]->on_ready;
                callback(static_cast<std::uint32_t>(fds[i].revents));
                ++ran;
            }
        }
        return ran;
    }

    std::mutex mutex_;
    std::deque<std::function<void()>> tasks_;
    std::vector<FakeWatch*> watches_;
};

} // namespace coldstart::fakes
