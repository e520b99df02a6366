#include "api/http/http_message.h"

#include <cstddef>
#include <cstdint>

namespace coldstart {
namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd"; // U+FFFD

/// The length of the well-formed UTF-8 sequence that `text` begins with (Unicode, table 3-7), or 0.
std::size_t utf8_length(std::string_view text) {
    const auto at = [&](std::size_t i) {
        return i < text.size() ? static_cast<std::uint8_t>(text[i]) : std::uint8_t{0};
    };
    const auto tail = [&](std::size_t i) { return (at(i) & 0xc0) == 0x80; };
    const std::uint8_t first = at(0);
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return tail(1) ? 2 : 0;
    if ((first & 0xf0) == 0xe0) {
        const bool overlong = first == 0xe0 && at(1) < 0xa0;
        const bool surrogate = first == 0xed && at(1) > 0x9f;
        return tail(1) && tail(2) && !overlong && !surrogate ? 3 : 0;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        const bool overlong = first == 0xf0 && at(1) < 0x90;
        const bool beyond = first == 0xf4 && at(1) > 0x8f;
        return tail(1) && tail(2) && tail(3) && !overlong && !beyond ? 4 : 0;
    }
    return 0;
}

void append_ascii(std::string& json, char c) {
    constexpr std::string_view digits = "0123456789abcdef";
    switch (c) {
    case '"':
        json += "\\\"";
        return;
    case '\\':
        json += "\\\\";
        return;
    case '\n':
        json += "\\n";
        return;
    case '\r':
        json += "\\r";
        return;
    case '\t':
        json += "\\t";
        return;
    default:
        break;
    }
    const auto code = static_cast<std::uint8_t>(c);
    if (code < 0x20) {
        json += "\\u00";
        json += digits[code >> 4];
        json += digits[code & 15];
    } else {
        json += c;
    }
}

} // namespace

std::string fault_body(std::string_view text) {
    std::string json = "{\"fault_message\":\"";
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        if (length == 0)
            json += replacement;
        else if (length == 1)
            append_ascii(json, text.front());
        else
            json += text.substr(0, length);
        text.remove_prefix(length == 0 ? 1 : length);
    }
    json += "\"}";
    return json;
}

HttpAnswer fault_answer(unsigned status, std::string_view text) {
    HttpAnswer answer;
    answer.status = status;
    answer.body = fault_body(text);
    return answer;
}

} // namespace coldstart
