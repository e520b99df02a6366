#include "vmm/cli/bench/stop_signals.h"

#include "vmm/base/error.h"

#include <cerrno>
#include <csignal>

#include <sys/signalfd.h>

namespace coldstart {

StopSignals::StopSignals() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int number : {SIGINT, SIGTERM, SIGHUP})
        sigaddset(&signals, number);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    fd_.reset(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd_)
        throw system_error("signalfd", errno);
}

int StopSignals::number() noexcept {
    signalfd_siginfo info{};
    if (number_ == 0 && ::read(fd_.get(), &info, sizeof info) == sizeof info)
        number_ = static_cast<int>(info.ssi_signo);
    return number_;
}

} // namespace coldstart
