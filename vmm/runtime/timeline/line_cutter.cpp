#include "vmm/runtime/timeline/line_cutter.h"

#include <algorithm>
#include <utility>

namespace coldstart {

bool LineCutter::feed(char byte) noexcept {
    constexpr char escape = 0x1b, del = 0x7f;
    if (byte == escape) {
        state_ = State::escape;
        return false;
    }
    if (state_ != State::text)
        return feed_sequence(byte);
    if (byte == '\n') {
        row_ += row_ != 0 ? 1 : 0;
        return end_line();
    }
    const bool visible = static_cast<unsigned char>(byte) >= ' ' && byte != del;
    if (!visible && byte != '\t')
        return false;
    // Blanks count once something stands before them.
    if (pending_bytes_ < line_.size() && (pending_bytes_ != 0 || (byte != ' ' && byte != '\t')))
        line_[pending_bytes_++] = byte == '\t' ? ' ' : byte;
    return false;
}

/// ESC [ parameters FINAL, or ESC and one more byte. Bytes from '@' on are final.
bool LineCutter::feed_sequence(char byte) noexcept {
    if (state_ == State::escape) {
        constexpr char full_reset = 'c';
        state_ = byte == '[' ? State::sequence : State::text;
        parameter_ = 0;
        parameter_is_whole_ = false;
        return byte == full_reset && end_line();
    }
    if (byte < '@') {
        const bool digit = byte >= '0' && byte <= '9';
        parameter_is_whole_ = parameter_is_whole_ || !digit;
        if (!parameter_is_whole_ && parameter_ < 1000)
            parameter_ = parameter_ * 10 + static_cast<unsigned>(byte - '0');
        return false;
    }
    state_ = State::text;
    if (byte == 'H' || byte == 'f')
        return move_to_row(std::max(parameter_, 1u));
    return byte == 'J' && end_line();
}

/// Some put the cursor before each piece of a line, or before each character.
bool LineCutter::move_to_row(unsigned row) noexcept {
    return std::exchange(row_, row) != row && end_line();
}

bool LineCutter::end_line() noexcept {
    line_bytes_ = std::exchange(pending_bytes_, 0);
    while (line_bytes_ != 0 && line_[line_bytes_ - 1] == ' ')
        --line_bytes_;
    return line_bytes_ != 0;
}

} // namespace coldstart
