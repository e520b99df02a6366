// Session tokens of the metadata service: random text that is good for a while.
// Source: Firecracker's docs/mmds/mmds-user-guide.md, "Version 2".
//
// There is room for a few hundred; when all are in use, a new one takes the place of the one that
// would end first. A search takes the same time wherever and whether it finds something.
// Threads: one owner.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace coldstart {

class MmdsTokens {
  public:
    static constexpr std::uint32_t min_ttl_s = 1;
    static constexpr std::uint32_t max_ttl_s = 21600;
    static constexpr std::size_t token_chars = 48;
    static constexpr std::size_t max_tokens = 512;
    using Token = std::array<char, token_chars>;

    /// A token good from `now_ns` on for a number of seconds in the limits above; nothing when the
    /// host has no random numbers.
    std::optional<Token> make(std::uint32_t ttl_s, std::uint64_t now_ns) noexcept;
    bool is_valid(std::string_view text, std::uint64_t now_ns) const noexcept;

  private:
    struct Entry {
        Token token{};
        std::uint64_t end_ns = 0; ///< 0: free
    };

    std::array<Entry, max_tokens> entries_{};
};

} // namespace coldstart
