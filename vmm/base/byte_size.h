// Sizes in bytes as people write them: 64M, 2G, 4096.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace coldstart {

inline constexpr std::uint64_t KiB = 1024;
inline constexpr std::uint64_t MiB = 1024 * KiB;
inline constexpr std::uint64_t GiB = 1024 * MiB;
inline constexpr std::uint64_t TiB = 1024 * GiB;

inline constexpr std::uint64_t page_size_bytes = 4 * KiB;

/// "123", "64K", "64M", "2G", "1T" (binary units, either case, an "iB" or "B" may follow the
/// unit); nothing when the text is not such a size or does not fit 64 bits.
std::optional<std::uint64_t> parse_byte_size(std::string_view text) noexcept;

/// The shortest exact form: "256M", "1G", "4097" for what no unit divides.
std::string format_byte_size(std::uint64_t size_bytes);

/// The next multiple of `alignment` (a power of two); the caller rules out overflow.
constexpr std::uint64_t align_up(std::uint64_t value, std::uint64_t alignment) noexcept {
    return (value + alignment - 1) & ~(alignment - 1);
}

constexpr std::uint64_t align_down(std::uint64_t value, std::uint64_t alignment) noexcept {
    return value & ~(alignment - 1);
}

} // namespace coldstart
