// What to write to a terminal, frame by frame, for it to show a guest's screen: text as it is, of
// graphics a line that says what they are.
// Threads: one at a time.
#pragma once

#include "devices/vga/screen.h"
#include "vmm/runtime/screen/ansi_screen.h"

#include <optional>
#include <string>

namespace coldstart {

class LiveScreen {
  public:
    /// Empty while nothing has changed. The terminal's size may change from call to call.
    std::string frame(const Screen& screen, unsigned terminal_columns, unsigned terminal_rows);
    /// The terminal shows something else now: the next frame draws everything.
    void forget() noexcept;

  private:
    std::string notice(const ScreenStatus& status);

    AnsiScreen text_;
    unsigned terminal_columns_ = 0, terminal_rows_ = 0;
    std::optional<ScreenStatus> shown_;
};

} // namespace coldstart
