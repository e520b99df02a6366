#include "vmm/cli/bench/progress.h"

#include "vmm/base/text.h"
#include "vmm/cli/bench/guest_process.h"

#include <sys/ioctl.h>
#include <unistd.h>

namespace coldstart {
namespace {

constexpr const char* clear_line = "\r\033[K";

/// Progress that can't be shown is no reason to stop.
void write_text(int fd, const std::string& text) {
    [[maybe_unused]] const auto written = ::write(fd, text.data(), text.size());
}

} // namespace

Progress::Progress(int fd, std::size_t turns, unsigned columns)
    : fd_(fd), columns_(columns), turns_(turns), started_ns_(monotonic_ns()) {}

Progress::~Progress() {
    if (columns_ != 0)
        write_text(fd_, clear_line);
}

void Progress::begin(const std::string& name, bool warmup) {
    name_ = name + (warmup ? " (warm-up)" : "");
    if (columns_ != 0)
        redraw(cat("run ", done_ + 1, " of ", turns_, "  ", name_, time_left(),
                   last_.empty() ? "" : "   " + last_));
}

void Progress::end(const std::string& outcome, bool good) {
    ++done_;
    last_ = cat("(", name_, ": ", outcome, ")");
    if (columns_ == 0)
        write_text(fd_, cat("run ", done_, " of ", turns_, "  ", name_, ": ", outcome, '\n'));
    else if (!good)
        say(cat(name_, ": ", outcome));
}

void Progress::say(const std::string& line) {
    write_text(fd_, (columns_ == 0 ? "" : clear_line) + line + '\n');
}

void Progress::redraw(const std::string& text) {
    write_text(fd_, clear_line + text.substr(0, columns_ - 1));
}

std::string Progress::time_left() const {
    if (done_ == 0)
        return "";
    const double passed_s = static_cast<double>(monotonic_ns() - started_ns_) / 1e9;
    const double left_s =
        passed_s / static_cast<double>(done_) * static_cast<double>(turns_ - done_);
    const auto seconds = static_cast<std::uint64_t>(left_s + 0.5);
    if (seconds >= 120)
        return cat("  ", (seconds + 30) / 60, " min left");
    return cat("  ", seconds, " s left");
}

unsigned terminal_columns(int fd) noexcept {
    winsize size{};
    if (::isatty(fd) == 0)
        return 0;
    return ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : 80;
}

} // namespace coldstart
