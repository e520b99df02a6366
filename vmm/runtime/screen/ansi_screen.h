// A guest's text screen on a terminal, live: what has changed since the last look as the escape
// sequences that change it there.
// Source: ECMA-48, 5th edition (CUP, ED, EL, SGR); SGR 90 to 107 and DECTCEM as in xterm.
//
// Only cells that differ are written, in as few bytes as is easy: the cursor is not moved over a
// short stretch that can be printed again, colours are set when they change, and a row that ends
// in spaces is erased. A screen of another size, and the first one, are drawn whole.
// Missing: the guest's palette (the terminal's own colours stand for the 16 of text modes).
// Threads: one at a time.
#pragma once

#include "devices/vga/screen.h"

#include <optional>
#include <string>

namespace coldstart {

class AnsiScreen {
  public:
    /// What lies beyond the terminal's size is left out; 0: of unknown size.
    explicit AnsiScreen(unsigned terminal_columns = 0, unsigned terminal_rows = 0) noexcept
        : terminal_columns_(terminal_columns), terminal_rows_(terminal_rows) {}

    /// What to write to the terminal, which then shows `next`; empty when nothing has changed.
    std::string update(const TextScreen& next);

    /// The terminal shows something else now (it was resized, or another program wrote to it): the
    /// next update draws everything.
    void forget() noexcept { shown_.reset(); }
    void resize_terminal(unsigned columns, unsigned rows) noexcept;

    /// What to write when live viewing ends: plain colours, cursor visible, below the screen.
    std::string leave();

  private:
    unsigned terminal_columns_;
    unsigned terminal_rows_;
    std::optional<TextScreen> shown_;
};

} // namespace coldstart
