#include "vmm/cli/display/terminal_display.h"

#include "vmm/base/error.h"

#include <array>
#include <cerrno>
#include <new>
#include <utility>

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace coldstart {
namespace {

constexpr long frame_ns = 33'000'000;

void check_terminal(int fd, const char* what) {
    if (::isatty(fd) == 0)
        throw UsageError(std::string("--display terminal: ") + what + " is no terminal",
                         "run it on one, or use --screen-text FILE");
}

} // namespace

TerminalDisplay::TerminalDisplay(int input, int output, DisplayKeys keys) : keys_(std::move(keys)) {
    check_terminal(output, "standard output");
    check_terminal(input, "standard input");
    input_ = HostFd::borrow(input, Direction::input);
    output_ = HostFd::borrow(output, Direction::output);
    timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (!timer_)
        throw system_error("timerfd", errno);
}

void TerminalDisplay::begin(Reactor& reactor, const Screen& screen) {
    screen_ = &screen;
    const itimerspec period{{0, frame_ns}, {0, frame_ns}};
    if (::timerfd_settime(timer_.get(), 0, &period, nullptr) != 0)
        throw system_error("timerfd", errno);
    const std::lock_guard guard(watches_mutex_);
    timer_watch_ = reactor.watch(timer_.get(), POLLIN, [this](std::uint32_t) { tick(); });
    input_watch_ = reactor.watch(input_.get(), POLLIN, [this](std::uint32_t) { take_input(); });
}

void TerminalDisplay::end() noexcept {
    std::unique_ptr<Watch> input, timer;
    const std::lock_guard guard(watches_mutex_);
    input.swap(input_watch_);
    timer.swap(timer_watch_);
}

void TerminalDisplay::end_input() noexcept {
    std::unique_ptr<Watch> ended;
    const std::lock_guard guard(watches_mutex_);
    ended.swap(input_watch_);
}

void TerminalDisplay::tick() {
    std::uint64_t times = 0;
    if (::read(timer_.get(), &times, sizeof times) != sizeof times)
        return;
    try {
        if (typed_.waits() && !std::exchange(typed_just_now_, false))
            keys_.press(typed_.settle());
        send();
        if (waiting_.empty() && !shows_help_)
            draw();
    } catch (const std::bad_alloc&) { // the next frame may find some
        live_.forget();
    }
}

void TerminalDisplay::draw() {
    winsize size{};
    if (::ioctl(output_.get(), TIOCGWINSZ, &size) != 0)
        size = {};
    waiting_ = live_.frame(*screen_, size.ws_col, size.ws_row);
    send();
}

void TerminalDisplay::send() {
    while (!waiting_.empty()) {
        const Transfer done =
            output_.write({reinterpret_cast<const std::byte*>(waiting_.data()), waiting_.size()});
        if (done.status == Transfer::Status::would_block)
            return;
        if (done.status != Transfer::Status::ok) {
            waiting_.clear(); // the terminal is gone; SIGHUP tells
            return;
        }
        waiting_.erase(0, done.count);
    }
}

void TerminalDisplay::take_input() {
    std::array<std::byte, 256> bytes;
    const Transfer got = input_.read(bytes);
    if (got.status == Transfer::Status::would_block)
        return;
    if (got.status != Transfer::Status::ok) {
        end_input();
        return;
    }
    try {
        take_keys(ByteView(bytes).first(got.count));
    } catch (const std::bad_alloc&) { // these keys are lost
    }
}

void TerminalDisplay::take_keys(ByteView typed) {
    const EscapeFilter::Result result = escape_.feed(typed);
    for (const EscapeAction action : result.actions)
        act(action);
    if (result.for_guest.empty())
        return;
    if (std::exchange(shows_help_, false)) { // the key that ends it
        live_.forget();
        return;
    }
    typed_just_now_ = true;
    std::vector<KeyStroke> strokes = typed_.feed(result.for_guest);
    if (!strokes.empty())
        keys_.press(std::move(strokes));
}

void TerminalDisplay::act(EscapeAction action) {
    if (action == EscapeAction::help) {
        shows_help_ = true;
        waiting_ += "\x1b[0m\x1b[2J\x1b[H\x1b[?25l";
        waiting_ += display_help();
        send();
    } else if (action == EscapeAction::redraw) {
        shows_help_ = false;
        live_.forget();
    } else {
        keys_.act(action);
    }
}

} // namespace coldstart
