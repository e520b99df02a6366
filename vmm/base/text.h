// Small text helpers for messages: joining values and writing numbers. Not for a hot path.
#pragma once

#include <cstdint>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

namespace coldstart {

/// All arguments written one after the other, as operator<< writes them.
template <typename... Args>
std::string cat(const Args&... args) {
    std::ostringstream out;
    (out << ... << args);
    return out.str();
}

/// "0x" and lower-case digits, at least `min_digits` of them.
std::string hex(std::uint64_t value, unsigned min_digits = 1);

/// A whole decimal number and nothing else, or nothing.
std::optional<std::uint64_t> parse_decimal(std::string_view text) noexcept;

/// A decimal number, or a hexadecimal one after "0x", and nothing else, or nothing.
std::optional<std::uint64_t> parse_number(std::string_view text) noexcept;

/// Whether it is UTF-8 as RFC 3629 has it: no overlong forms, no surrogates.
bool is_utf8(std::string_view text) noexcept;

/// `text` with control characters and non-ASCII bytes shown as \xNN, cut after `max_chars`.
std::string printable(std::string_view text, std::size_t max_chars = 80);

} // namespace coldstart
