#include "virtio/backend/mmds/tokens.h"

#include <algorithm>

#include <sys/random.h>

namespace coldstart {
namespace {

constexpr std::uint64_t ns_per_s = 1'000'000'000;

/// Without an early end, which would tell how much of a guess is right.
bool same(const MmdsTokens::Token& token, std::string_view text) noexcept {
    unsigned difference = 0;
    for (std::size_t i = 0; i < token.size(); ++i)
        difference |= static_cast<unsigned>(token[i] ^ text[i]);
    return difference == 0;
}

} // namespace

std::optional<MmdsTokens::Token> MmdsTokens::make(std::uint32_t ttl_s,
                                                  std::uint64_t now_ns) noexcept {
    constexpr std::string_view digits = "0123456789abcdef";
    std::array<std::uint8_t, token_chars / 2> random{};
    if (::getrandom(random.data(), random.size(), GRND_NONBLOCK) !=
        static_cast<ssize_t>(random.size()))
        return std::nullopt;
    // Those that have ended are those that end first.
    Entry& entry =
        *std::min_element(entries_.begin(), entries_.end(),
                          [](const Entry& a, const Entry& b) { return a.end_ns < b.end_ns; });
    for (std::size_t i = 0; i < random.size(); ++i) {
        entry.token[2 * i] = digits[random[i] >> 4];
        entry.token[2 * i + 1] = digits[random[i] & 15];
    }
    entry.end_ns = now_ns + std::clamp(ttl_s, min_ttl_s, max_ttl_s) * ns_per_s;
    return entry.token;
}

bool MmdsTokens::is_valid(std::string_view text, std::uint64_t now_ns) const noexcept {
    if (text.size() != token_chars)
        return false;
    unsigned matches = 0;
    for (const Entry& entry : entries_) {
        const bool alive = now_ns < entry.end_ns;
        matches |= static_cast<unsigned>(same(entry.token, text)) & static_cast<unsigned>(alive);
    }
    return matches != 0;
}

} // namespace coldstart
