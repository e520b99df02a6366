// When is a guest ready? When it says so: by a line to coldstart's readiness port, by a POST code,
// or by a text on its console. Pure text: no descriptor, no clock.
// Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace coldstart {

struct ReadyCondition {
    enum class Kind {
        readiness_port, ///< any line there
        post_code,      ///< `code` at port 0x80
        console_text,   ///< `text` in a line of the console
    };
    Kind kind = Kind::readiness_port;
    std::string text;
    std::uint8_t code = 0;

    bool needs_events() const noexcept { return kind != Kind::console_text; }
};

/// "a line on the console that contains 'login:'"
std::string ready_text(const ReadyCondition& condition);

/// Bytes in pieces, as a pipe hands them out.
class ReadyWatch {
  public:
    static constexpr std::size_t kept_bytes = 4096; ///< of an unfinished line; a text fits in it

    explicit ReadyWatch(ReadyCondition condition) : condition_(std::move(condition)) {}

    /// True from the piece on with which the guest was ready.
    bool console(std::string_view bytes);
    /// Lines of `coldstart run --events`.
    bool events(std::string_view bytes);

    /// The last line on the console that is not blank, for messages.
    std::string last_line() const;

  private:
    bool event_line(std::string_view line) const;

    const ReadyCondition condition_;
    bool ready_ = false;
    std::string line_;      ///< of the console, not ended yet
    std::string last_line_; ///< ended
    std::string event_;     ///< not ended yet
};

} // namespace coldstart
