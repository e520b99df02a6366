#include "vmm/cli/terminal.h"

#include "vmm/base/error.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <iterator>

#include <poll.h>
#include <termios.h>
#include <unistd.h>

namespace coldstart {
namespace {

// A signal handler reaches nothing but what is static; `terminal_fd` says whether the rest is
// valid, and is set after it.
termios saved_mode;
termios raw_mode;
TerminalTexts texts_now;
std::atomic<int> terminal_fd{-1};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler reads it");

constexpr int fatal_signals[] = {SIGHUP,  SIGINT, SIGQUIT, SIGTERM, SIGABRT,
                                 SIGSEGV, SIGBUS, SIGILL,  SIGFPE};

struct OldAction {
    int signal = 0;
    struct sigaction action {};
    bool replaced = false;
};
OldAction old_actions[std::size(fatal_signals) + 2];

/// tcsetattr, but not stopped by SIGTTOU should the shell have taken the terminal back: then the
/// terminal is the shell's and it sets the mode itself. Async-signal-safe.
void set_mode(const termios& mode) noexcept {
    const int fd = terminal_fd.load(std::memory_order_acquire);
    if (fd < 0)
        return;
    sigset_t ttou, before;
    sigemptyset(&ttou);
    sigaddset(&ttou, SIGTTOU);
    ::pthread_sigmask(SIG_BLOCK, &ttou, &before);
    ::tcsetattr(fd, TCSANOW, &mode);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

/// Never waits for a terminal that takes nothing. Async-signal-safe.
void say(std::string_view text) noexcept {
    const int fd = terminal_fd.load(std::memory_order_acquire);
    pollfd room{fd, POLLOUT, 0};
    if (fd < 0 || text.empty() || ::poll(&room, 1, 0) != 1)
        return;
    [[maybe_unused]] const ssize_t written = ::write(fd, text.data(), text.size());
}

void give_back() noexcept {
    say(texts_now.leave);
    set_mode(saved_mode);
}

void take() noexcept {
    set_mode(raw_mode);
    say(texts_now.enter);
}

void set_default_and_raise(int signal_number) noexcept {
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    ::sigaction(signal_number, &action, nullptr);
    // Blocked while its handler runs; it strikes when the handler returns (or at the unblocking).
    ::raise(signal_number);
}

extern "C" void on_fatal_signal(int signal_number) {
    const int saved_errno = errno;
    give_back();
    set_default_and_raise(signal_number);
    errno = saved_errno;
}

void install_handler(int signal_number, void (*handler)(int)) noexcept;

extern "C" void on_stop_signal(int signal_number) {
    const int saved_errno = errno;
    give_back();
    set_default_and_raise(signal_number);
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, signal_number);
    ::pthread_sigmask(SIG_UNBLOCK, &stop, nullptr); // the process stops here
    install_handler(signal_number, on_stop_signal); // and goes on here after SIGCONT
    take();
    errno = saved_errno;
}

/// After a SIGSTOP, of which nobody is told, the shell may have changed the mode.
extern "C" void on_continue_signal(int) {
    const int saved_errno = errno;
    set_mode(raw_mode);
    errno = saved_errno;
}

void install_handler(int signal_number, void (*handler)(int)) noexcept {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    ::sigaction(signal_number, &action, nullptr);
}

/// Only where the action is the default: what the program or nohup(1) chose stays.
void take_signal(OldAction& old, int signal_number, void (*handler)(int)) noexcept {
    old.signal = signal_number;
    old.replaced = ::sigaction(signal_number, nullptr, &old.action) == 0 &&
                   (old.action.sa_flags & SA_SIGINFO) == 0 && old.action.sa_handler == SIG_DFL;
    if (old.replaced)
        install_handler(signal_number, handler);
}

void take_signals() noexcept {
    std::size_t next = 0;
    for (const int signal_number : fatal_signals)
        take_signal(old_actions[next++], signal_number, on_fatal_signal);
    take_signal(old_actions[next++], SIGTSTP, on_stop_signal);
    take_signal(old_actions[next], SIGCONT, on_continue_signal);
}

bool is_ours(const struct sigaction& action) noexcept {
    return (action.sa_flags & SA_SIGINFO) == 0 &&
           (action.sa_handler == on_fatal_signal || action.sa_handler == on_stop_signal ||
            action.sa_handler == on_continue_signal);
}

void give_signals_back() noexcept {
    for (OldAction& old : old_actions) {
        struct sigaction now {};
        if (old.replaced && ::sigaction(old.signal, nullptr, &now) == 0 && is_ours(now))
            ::sigaction(old.signal, &old.action, nullptr);
        old.replaced = false;
    }
}

void restore() noexcept {
    give_back();
    terminal_fd.store(-1, std::memory_order_release);
}

} // namespace

RawTerminal::RawTerminal(int fd, TerminalTexts texts) {
    if (::isatty(fd) == 0)
        return;
    if (::tcgetattr(fd, &saved_mode) != 0)
        throw system_error("terminal: reading its mode", errno);
    raw_mode = saved_mode;
    ::cfmakeraw(&raw_mode);
    // The guest's own terminal layer ends lines; but a bare "\n" in our diagnostics should too.
    raw_mode.c_oflag |= OPOST | ONLCR;
    raw_mode.c_cc[VMIN] = 1;
    raw_mode.c_cc[VTIME] = 0;

    texts_now = texts;

    static const int registered = std::atexit(restore);
    if (registered != 0)
        throw Error("terminal: no room for an exit handler");
    terminal_fd.store(fd, std::memory_order_release);
    take_signals();
    if (::tcsetattr(fd, TCSANOW, &raw_mode) != 0) {
        const int reason = errno;
        restore();
        give_signals_back();
        throw system_error("terminal: setting raw mode", reason);
    }
    say(texts_now.enter);
    active_ = true;
}

RawTerminal::~RawTerminal() {
    if (!active_)
        return;
    restore();
    give_signals_back();
}

} // namespace coldstart
