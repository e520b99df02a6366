// The user's terminal in raw mode while the guest's console is on it, and back on every way out:
// the destructor, exit(), and the signals that end a process.
// Follows: termios(3), signal-safety(7).
//
// Signals: HUP, INT, QUIT, TERM, ABRT, SEGV, BUS, ILL, FPE whose action is the default get a
// handler that restores the terminal and lets the signal do its work. A handler the program
// installs later (a graceful stop on TERM) replaces it, and then the destructor restores. TSTP
// restores, stops, and CONT goes raw again. SIGKILL can't be helped; `reset` can.
// Threads: made and destroyed on the main thread; one at a time.
#pragma once

#include <string_view>

namespace coldstart {

/// What is written to a terminal in raw mode when it becomes so, and when it is given back.
struct TerminalTexts {
    std::string_view enter = {}; ///< static
    std::string_view leave = {};
};

class RawTerminal {
  public:
    /// Does nothing when `fd` is no terminal. Throws Error when it is one and can't be set.
    explicit RawTerminal(int fd, TerminalTexts texts = {});
    ~RawTerminal();
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;

    bool active() const noexcept { return active_; }

  private:
    bool active_ = false;
};

} // namespace coldstart
