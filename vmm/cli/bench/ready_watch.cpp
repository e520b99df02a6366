#include "vmm/cli/bench/ready_watch.h"

#include "vmm/base/text.h"

namespace coldstart {
namespace {

bool is_blank(std::string_view line) {
    return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

/// The line is coldstart's own: its members have one form, and a text can't hold a bare quote.
bool has_member(std::string_view line, std::string_view member) {
    const std::size_t at = line.find(member);
    if (at == std::string_view::npos)
        return false;
    const char next = at + member.size() < line.size() ? line[at + member.size()] : '}';
    return next == ',' || next == '}';
}

} // namespace

std::string ready_text(const ReadyCondition& condition) {
    switch (condition.kind) {
    case ReadyCondition::Kind::console_text:
        return cat("a line on the console that contains '", printable(condition.text), "'");
    case ReadyCondition::Kind::post_code:
        return cat("POST code ", hex(condition.code, 2));
    case ReadyCondition::Kind::readiness_port:
        break;
    }
    return "a line at the readiness port";
}

bool ReadyWatch::console(std::string_view bytes) {
    while (!bytes.empty()) {
        const std::size_t end = bytes.find('\n');
        line_ += bytes.substr(0, end);
        if (condition_.kind == ReadyCondition::Kind::console_text &&
            line_.find(condition_.text) != std::string::npos)
            ready_ = true;
        if (end == std::string_view::npos) {
            if (line_.size() > 2 * kept_bytes)
                line_.erase(0, line_.size() - kept_bytes);
            break;
        }
        if (!is_blank(line_))
            last_line_ = line_.substr(0, kept_bytes);
        line_.clear();
        bytes.remove_prefix(end + 1);
    }
    return ready_;
}

bool ReadyWatch::event_line(std::string_view line) const {
    if (condition_.kind == ReadyCondition::Kind::post_code)
        return has_member(line, "\"event\":\"post_code\"") &&
               has_member(line, cat("\"code\":", unsigned{condition_.code}));
    return condition_.kind == ReadyCondition::Kind::readiness_port &&
           has_member(line, "\"event\":\"ready\"");
}

bool ReadyWatch::events(std::string_view bytes) {
    while (!bytes.empty()) {
        const std::size_t end = bytes.find('\n');
        event_ += bytes.substr(0, end);
        if (end == std::string_view::npos)
            break;
        ready_ = ready_ || event_line(event_);
        event_.clear();
        bytes.remove_prefix(end + 1);
    }
    return ready_;
}

std::string ReadyWatch::last_line() const {
    return is_blank(line_) ? last_line_ : line_;
}

} // namespace coldstart
