#include "vmm/cli/bench/guest_process.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/cli/bench/ready_watch.h"
#include "vmm/cli/bench/spawn.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <optional>

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace coldstart {
namespace {

/// How long coldstart may take to write its timeline and go.
constexpr std::uint64_t leave_ns = 5'000'000'000;
constexpr std::size_t kept_error_bytes = 16384;

/// What is in a pipe now; nullopt at its end.
std::optional<std::string> read_some(int fd) {
    std::array<char, 16384> buffer;
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got > 0)
        return std::string(buffer.data(), static_cast<std::size_t>(got));
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return std::string();
    return std::nullopt;
}

std::string trimmed(std::string_view line) {
    constexpr std::string_view prefix = "coldstart: error: ";
    if (line.starts_with(prefix))
        line.remove_prefix(prefix.size());
    while (!line.empty() && (line.back() == '\r' || line.back() == ' '))
        line.remove_suffix(1);
    return printable(line, 300);
}

/// The line of a monitor's stderr that says why it ended: the first that calls itself an error,
/// else the last.
std::string telling_line(std::string_view text) {
    std::string last;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.find("error") != std::string_view::npos)
            return trimmed(line);
        if (!trimmed(line).empty())
            last = trimmed(line);
    }
    return last;
}

/// One run from spawn to the end of its processes.
class Run {
  public:
    Run(const Candidate& candidate, const RunOptions& options)
        : options_(options), watch_(options.ready), command_(words_of(candidate, options)),
          spawn_ns_(monotonic_ns()), child_(command_) {}

    RunResult until_ready() {
        RunResult result;
        result.spawn_ns = spawn_ns_;
        const std::uint64_t deadline =
            spawn_ns_ + static_cast<std::uint64_t>(options_.timeout_s * 1e9);
        while (ready_ns_ == 0 && !ended_ && monotonic_ns() < deadline) {
            if (wait(deadline)) {
                result.interrupted = true;
                return result;
            }
        }
        if (ready_ns_ != 0) {
            result.run.outcome = RunOutcome::ready;
            result.run.ready_ns = ready_ns_ - spawn_ns_;
            result.interrupted = let_it_leave();
        } else if (ended_) {
            result.run.problem = why_it_ended();
        } else {
            result.run.outcome = RunOutcome::timed_out;
            result.run.problem = cat("not ready after ", options_.timeout_s, " s", last_words());
        }
        return result;
    }

  private:
    static Words words_of(const Candidate& candidate, const RunOptions& options) {
        Words words = candidate.command;
        if (!candidate.is_coldstart)
            return words;
        if (options.ready.needs_events())
            add_words(words, {"--events", cat("/proc/self/fd/", ChildProcess::events_fd)});
        if (!options.timeline_path.empty())
            add_words(words, {"--timeline", options.timeline_path});
        // Bounds the monitor's life if this process is killed.
        add_words(words, {"--timeout", cat(options.timeout_s + 10)});
        return words;
    }

    /// Takes what there is, or waits for it; true when the benchmark is to end.
    bool wait(std::uint64_t deadline_ns) {
        const std::uint64_t now = monotonic_ns();
        const std::uint64_t left_ms = now >= deadline_ns ? 0 : (deadline_ns - now) / 1'000'000 + 1;
        std::array<pollfd, 5> fds{{{out_open_ ? child_.out() : -1, POLLIN, 0},
                                   {err_open_ ? child_.err() : -1, POLLIN, 0},
                                   {events_open_ ? child_.events() : -1, POLLIN, 0},
                                   {ended_ ? -1 : child_.ended(), POLLIN, 0},
                                   {options_.stop_fd, POLLIN, 0}}};
        ::poll(fds.data(), fds.size(), static_cast<int>(std::min<std::uint64_t>(left_ms, 60'000)));
        take_output();
        if (fds[3].revents != 0) {
            take_output(); // what it wrote last may have come in between
            ended_ = true;
        }
        return fds[4].revents != 0;
    }

    void take_output() {
        take(child_.out(), out_open_,
             [this](std::string_view bytes) { note(watch_.console(bytes)); });
        take(child_.events(), events_open_,
             [this](std::string_view bytes) { note(watch_.events(bytes)); });
        take(child_.err(), err_open_, [this](std::string_view bytes) {
            errors_ +=
                bytes.substr(0, kept_error_bytes - std::min(errors_.size(), kept_error_bytes));
        });
    }

    template <typename Taker>
    static void take(int fd, bool& open, Taker taker) {
        while (open) {
            const std::optional<std::string> bytes = read_some(fd);
            open = bytes.has_value();
            if (!bytes || bytes->empty())
                return;
            taker(*bytes);
        }
    }

    void note(bool ready) noexcept {
        if (ready && ready_ns_ == 0)
            ready_ns_ = monotonic_ns();
    }

    /// True when the benchmark is to end.
    bool let_it_leave() {
        bool stop = false;
        if (!options_.timeline_path.empty()) {
            child_.signal(SIGQUIT); // stops at once, and writes what it was asked to
            const std::uint64_t deadline = monotonic_ns() + leave_ns;
            while (!ended_ && monotonic_ns() < deadline && !stop)
                stop = wait(deadline);
        }
        child_.end();
        return stop;
    }

    std::string last_words() const {
        const std::string line = trimmed(watch_.last_line());
        return line.empty() ? "; its console is silent" : cat("; its last line: '", line, "'");
    }

    std::string why_it_ended() {
        const int status = child_.end();
        const std::string line = telling_line(errors_);
        const std::string why = WIFSIGNALED(status) ? cat("killed by signal ", WTERMSIG(status))
                                : WEXITSTATUS(status) == 0
                                    ? std::string("ended")
                                    : cat("ended with status ", WEXITSTATUS(status));
        return why + " before the guest was ready" + (line.empty() ? last_words() : ": " + line);
    }

    const RunOptions& options_;
    ReadyWatch watch_;
    const Words command_;
    const std::uint64_t spawn_ns_;
    ChildProcess child_;
    std::string errors_;
    std::uint64_t ready_ns_ = 0;
    bool out_open_ = true, err_open_ = true, events_open_ = true;
    bool ended_ = false;
};

} // namespace

std::uint64_t monotonic_ns() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
           static_cast<std::uint64_t>(now.tv_nsec);
}

RunResult run_guest(const Candidate& candidate, const RunOptions& options) {
    try {
        return Run(candidate, options).until_ready();
    } catch (const Error& error) {
        RunResult result;
        result.run.problem = error.what();
        return result;
    }
}

} // namespace coldstart
