// A guest-physical address as a type of its own, so that it is never mistaken for a host pointer,
// a port or a length.
#pragma once

#include <compare>
#include <cstdint>

namespace coldstart {

struct Gpa {
    std::uint64_t value = 0;

    constexpr Gpa() noexcept = default;
    constexpr explicit Gpa(std::uint64_t address) noexcept : value(address) {}

    // clang-tidy 14 takes the zero inside the comparison for a pointer.
    constexpr auto
    operator<=>(const Gpa&) const noexcept = default; // NOLINT(modernize-use-nullptr)

    /// Wraps at 2^64; whoever adds a guest's number checks the sum (GuestMemory does).
    constexpr Gpa operator+(std::uint64_t offset_bytes) const noexcept {
        return Gpa(value + offset_bytes);
    }
    constexpr std::uint64_t operator-(Gpa other) const noexcept { return value - other.value; }
};

} // namespace coldstart
