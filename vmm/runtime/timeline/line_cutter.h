// Lines of text out of what a guest writes to a terminal, byte by byte. Escape sequences and
// control characters are left out; one that moves the cursor to another row or clears the screen
// ends a line as a newline does (ECMA-48: CUP, HVP, ED). Empty lines are no lines.
//
// Allocates nothing. Threads: one at a time.
#pragma once

#include "vmm/base/bytes.h"
#include "vmm/runtime/timeline/recorder.h"

#include <array>
#include <cstddef>
#include <string_view>

namespace coldstart {

class LineCutter {
  public:
    static constexpr std::size_t max_line_bytes = TimelineRecorder::max_text_bytes;

    /// Takes one byte; true when a line has come to its end, which is line() until the next call.
    /// What goes beyond max_line_bytes is cut.
    bool feed(char byte) noexcept;
    /// Ends the line that has begun; false when there is none.
    bool end_line() noexcept;
    std::string_view line() const noexcept { return {line_.data(), line_bytes_}; }
    /// How much there is of the line that has begun.
    std::size_t begun_bytes() const noexcept { return pending_bytes_; }

  private:
    enum class State : unsigned char { text, escape, sequence };

    bool feed_sequence(char byte) noexcept;
    bool move_to_row(unsigned row) noexcept;

    std::array<char, max_line_bytes> line_{};
    std::size_t pending_bytes_ = 0; ///< of line_, of the line that has begun
    std::size_t line_bytes_ = 0;    ///< of line_, of the line that was ended last
    State state_ = State::text;
    unsigned parameter_ = 0; ///< the first one of the sequence under way
    bool parameter_is_whole_ = false;
    unsigned row_ = 0; ///< where the cursor was put, and went by newlines; 0: it never was
};

} // namespace coldstart
