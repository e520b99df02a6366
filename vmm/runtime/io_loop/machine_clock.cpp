#include "vmm/runtime/io_loop/machine_clock.h"

#include "vmm/base/error.h"
#include "vmm/base/unique_fd.h"

#include <algorithm>
#include <cerrno>
#include <ctime>

#include <poll.h>
#include <sys/timerfd.h>

namespace coldstart {
namespace {

constexpr std::uint64_t ns_per_s = 1'000'000'000;

std::uint64_t read_clock(clockid_t id) noexcept {
    timespec now{};
    ::clock_gettime(id, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * ns_per_s +
           static_cast<std::uint64_t>(now.tv_nsec);
}

} // namespace

class MachineClock::FdTimer final : public Timer {
  public:
    FdTimer(MachineClock& clock, std::function<void()> on_expiry)
        : clock_(clock), on_expiry_(std::move(on_expiry)),
          fd_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
        if (!fd_)
            throw system_error("a timer of the machine's clock", errno,
                               "raise the limit of open files (ulimit -n)");
        watch_ = clock_.reactor_.watch(fd_.get(), POLLIN, [this](std::uint32_t) { expire(); });
        const std::lock_guard guard(clock_.mutex_);
        clock_.timers_.push_back(this);
    }

    ~FdTimer() override {
        {
            const std::lock_guard guard(clock_.mutex_);
            std::erase(clock_.timers_, this);
        }
        watch_.reset();
    }

    void arm(std::uint64_t deadline_ns) noexcept override {
        const std::lock_guard guard(clock_.mutex_);
        deadline_ns_ = std::max<std::uint64_t>(deadline_ns, 1);
        program();
    }

    void cancel() noexcept override {
        const std::lock_guard guard(clock_.mutex_);
        deadline_ns_ = 0;
        program();
    }

    /// Tells the kernel the deadline in host time; none while the machine stands still. The
    /// clock's mutex is held.
    void program() noexcept {
        const bool idle = deadline_ns_ == 0 || clock_.stopped_at_ != 0;
        const std::uint64_t host_ns = idle ? 0 : deadline_ns_ + clock_.behind_ns_;
        itimerspec spec{};
        spec.it_value.tv_sec = static_cast<time_t>(host_ns / ns_per_s);
        spec.it_value.tv_nsec = static_cast<long>(host_ns % ns_per_s);
        ::timerfd_settime(fd_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
    }

  private:
    void expire() {
        {
            const std::lock_guard guard(clock_.mutex_);
            std::uint64_t count = 0;
            // A timer rearmed or cancelled after epoll reported it has nothing to read.
            if (::read(fd_.get(), &count, sizeof count) != sizeof count)
                return;
            deadline_ns_ = 0;
        }
        on_expiry_();
    }

    MachineClock& clock_;
    std::function<void()> on_expiry_;
    UniqueFd fd_;
    std::unique_ptr<Watch> watch_;
    std::uint64_t deadline_ns_ = 0; // machine time; 0: not armed
};

MachineClock::MachineClock(Reactor& reactor) : reactor_(reactor) {}

std::uint64_t MachineClock::now_ns() const noexcept {
    const std::uint64_t stopped_at = stopped_at_.load(std::memory_order_acquire);
    if (stopped_at != 0)
        return stopped_at;
    return read_clock(CLOCK_MONOTONIC) - behind_ns_.load(std::memory_order_acquire);
}

std::int64_t MachineClock::wall_ns() const noexcept {
    return static_cast<std::int64_t>(read_clock(CLOCK_REALTIME));
}

std::unique_ptr<Timer> MachineClock::make_timer(std::function<void()> on_expiry) {
    return std::make_unique<FdTimer>(*this, std::move(on_expiry));
}

void MachineClock::pause() noexcept {
    const std::lock_guard guard(mutex_);
    if (stopped_at_ != 0)
        return;
    stopped_at_ = std::max<std::uint64_t>(now_ns(), 1);
    for (FdTimer* timer : timers_)
        timer->program();
}

void MachineClock::resume() noexcept {
    const std::lock_guard guard(mutex_);
    if (stopped_at_ == 0)
        return;
    behind_ns_ = read_clock(CLOCK_MONOTONIC) - stopped_at_;
    stopped_at_ = 0;
    for (FdTimer* timer : timers_)
        timer->program();
}

} // namespace coldstart
