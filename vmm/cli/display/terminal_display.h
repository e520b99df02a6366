// A guest's display and keyboard on this process's terminal: its text screen drawn about 30 times
// a second where it has changed, and what is typed pressed on its PS/2 keyboard.
//
// The terminal is written without blocking: one that is slower than the guest misses frames. The
// guest is never waited for, nor does it wait. What the terminal is in the meantime (raw, another
// screen) is RawTerminal's part.
// Missing: the mouse; graphics.
// Threads: made, begun, ended and destroyed on the control thread; all else is on the reactor's.
#pragma once

#include "vmm/base/reactor.h"
#include "vmm/base/unique_fd.h"
#include "vmm/cli/display/live_screen.h"
#include "vmm/cli/display/typed_keys.h"
#include "vmm/cli/escape_filter.h"
#include "vmm/runtime/streams/host_fd.h"

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace coldstart {

/// Called on the reactor's thread.
struct DisplayKeys {
    std::function<void(std::vector<KeyStroke>)> press;
    std::function<void(EscapeAction)> act; ///< of all but help and redraw
};

class TerminalDisplay {
  public:
    /// What makes the terminal ready, and what gives its old contents back.
    static constexpr std::string_view enter = "\x1b[?1049h";
    static constexpr std::string_view leave = "\x1b[0m\x1b[?25h\x1b[?1049l";

    /// Throws UsageError when one of the two is no terminal.
    TerminalDisplay(int input, int output, DisplayKeys keys);
    ~TerminalDisplay() { end(); }
    TerminalDisplay(const TerminalDisplay&) = delete;
    TerminalDisplay& operator=(const TerminalDisplay&) = delete;

    /// `reactor` and `screen` are there until end(). Throws Error.
    void begin(Reactor& reactor, const Screen& screen);
    void end() noexcept;

  private:
    void tick();
    void draw();
    void send();
    void take_input();
    void take_keys(ByteView typed);
    void act(EscapeAction action);
    void end_input() noexcept;

    const DisplayKeys keys_;
    HostFd input_, output_;
    UniqueFd timer_;
    const Screen* screen_ = nullptr;

    LiveScreen live_;
    EscapeFilter escape_{EscapeFilter::Place::display};
    TypedKeys typed_;
    bool typed_just_now_ = false; ///< since the last tick
    bool shows_help_ = false;
    std::string waiting_; ///< of a frame, for the terminal to take

    std::mutex watches_mutex_; ///< guards the pointers; not held while one is destroyed
    std::unique_ptr<Watch> input_watch_, timer_watch_;
};

} // namespace coldstart
