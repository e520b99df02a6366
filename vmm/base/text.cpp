#include "vmm/base/text.h"

#include <charconv>

namespace coldstart {
namespace {

std::optional<std::uint64_t> parse_base(std::string_view text, int base) noexcept {
    std::uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto result = std::from_chars(text.data(), end, value, base);
    if (text.empty() || result.ec != std::errc{} || result.ptr != end)
        return std::nullopt;
    return value;
}

} // namespace

std::string hex(std::uint64_t value, unsigned min_digits) {
    char digits[16];
    const auto result = std::to_chars(std::begin(digits), std::end(digits), value, 16);
    const auto count = static_cast<std::size_t>(result.ptr - digits);
    std::string text = "0x";
    if (count < min_digits)
        text.append(min_digits - count, '0');
    return text.append(digits, count);
}

std::optional<std::uint64_t> parse_decimal(std::string_view text) noexcept {
    return parse_base(text, 10);
}

std::optional<std::uint64_t> parse_number(std::string_view text) noexcept {
    if (text.starts_with("0x") || text.starts_with("0X"))
        return parse_base(text.substr(2), 16);
    return parse_base(text, 10);
}

std::string printable(std::string_view text, std::size_t max_chars) {
    std::string out;
    for (const char c : text.substr(0, max_chars)) {
        if (c >= 0x20 && c < 0x7f) {
            out += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            out += "\\x";
            out += "0123456789abcdef"[byte >> 4];
            out += "0123456789abcdef"[byte & 15];
        }
    }
    if (text.size() > max_chars)
        out += "...";
    return out;
}

bool is_utf8(std::string_view text) noexcept {
    for (std::size_t i = 0; i < text.size();) {
        const auto first = static_cast<unsigned char>(text[i]);
        const std::size_t length = first < 0x80   ? 1
                                   : first < 0xc2 ? 0
                                   : first < 0xe0 ? 2
                                   : first < 0xf0 ? 3
                                   : first < 0xf5 ? 4
                                                  : 0;
        if (length == 0 || length > text.size() - i)
            return false;
        // The second byte's limits keep out overlong forms, surrogates and what is past U+10FFFF.
        const unsigned low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
        const unsigned high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
        for (std::size_t k = 1; k < length; ++k) {
            const auto byte = static_cast<unsigned char>(text[i + k]);
            if (byte < (k == 1 ? low : 0x80u) || byte > (k == 1 ? high : 0xbfu))
                return false;
        }
        i += length;
    }
    return true;
}

} // namespace coldstart
