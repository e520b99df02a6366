#include "vmm/base/error.h"
#include "vmm/base/log.h"
#include "vmm/runtime/streams/streams.h"

#include <array>
#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/timerfd.h>
#include <termios.h>

namespace coldstart {
namespace {

// Nothing tells that a program has opened the other side, so it is asked this often while none has.
constexpr long poll_interval_ns = 200'000'000;

UniqueFd new_master() {
    UniqueFd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
    if (!master || ::grantpt(master.get()) != 0 || ::unlockpt(master.get()) != 0)
        throw system_error("pseudo-terminal", errno, "is /dev/pts mounted?");
    return master;
}

std::string slave_path_of(int master) {
    std::array<char, PATH_MAX> path{};
    if (::ptsname_r(master, path.data(), path.size()) != 0)
        throw system_error("pseudo-terminal", errno);
    return path.data();
}

class PtyStream final : public ChannelStream {
  public:
    PtyStream(Reactor& reactor, UniqueFd master, const std::string& path)
        : ChannelStream(reactor, path), master_(std::move(master)) {
        // Raw, or the guest's output would come back to it as an echo. The opening and closing
        // also marks the pair as hung up, which is how "nobody is there" looks from then on.
        const UniqueFd slave(::open(path.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
        termios mode{};
        if (!slave || ::tcgetattr(slave.get(), &mode) != 0)
            throw system_error(path, errno);
        ::cfmakeraw(&mode);
        if (::tcsetattr(slave.get(), TCSANOW, &mode) != 0)
            throw system_error(path, errno);

        timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
        if (!timer_)
            throw system_error(path, errno);
        timer_watch_ =
            this->reactor().watch(timer_.get(), POLLIN, [this](std::uint32_t) { on_timer(); });
        run_timer(true);
    }

  private:
    void run_timer(bool on) noexcept {
        itimerspec when{};
        when.it_value.tv_nsec = when.it_interval.tv_nsec = on ? poll_interval_ns : 0;
        ::timerfd_settime(timer_.get(), 0, &when, nullptr);
    }

    void on_timer() noexcept {
        std::uint64_t expirations = 0;
        if (::read(timer_.get(), &expirations, sizeof expirations) < 0)
            return;
        pollfd request{master_.get(), POLLIN, 0};
        if (::poll(&request, 1, 0) > 0 && (request.revents & POLLHUP) != 0)
            return;
        try {
            UniqueFd input(::fcntl(master_.get(), F_DUPFD_CLOEXEC, 0));
            UniqueFd output(::fcntl(master_.get(), F_DUPFD_CLOEXEC, 0));
            if (!input || !output)
                throw system_error(name(), errno);
            attach(HostFd::own(std::move(input)), HostFd::own(std::move(output)));
            run_timer(false);
        } catch (const std::exception& error) {
            log_warn(error.what());
        }
    }

    /// The last program has closed it.
    void on_input_end() noexcept override {
        detach();
        run_timer(true);
    }

    UniqueFd master_, timer_;
    std::unique_ptr<Watch> timer_watch_;
};

} // namespace

std::unique_ptr<ByteStream> open_pty_stream(Reactor& reactor, std::string& path) {
    UniqueFd master = new_master();
    path = slave_path_of(master.get());
    return std::make_unique<PtyStream>(reactor, std::move(master), path);
}

} // namespace coldstart
