// Little-endian loads and stores at any alignment: what images, tables and guests speak.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace coldstart {

static_assert(std::endian::native == std::endian::little, "the host is x86-64");

using ByteView = std::span<const std::byte>;

/// The value at `bytes[offset]`; the caller has checked that it lies inside.
template <std::integral T>
T load_le(ByteView bytes, std::size_t offset = 0) noexcept {
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

template <std::integral T>
void store_le(std::span<std::byte> bytes, std::size_t offset, T value) noexcept {
    std::memcpy(bytes.data() + offset, &value, sizeof value);
}

/// Appends `value`, low byte first.
template <std::integral T>
void append_le(std::vector<std::byte>& bytes, T value) {
    const auto* first = reinterpret_cast<const std::byte*>(&value);
    bytes.insert(bytes.end(), first, first + sizeof value);
}

/// True when [offset, offset + size) lies inside `total` bytes, whatever the numbers.
constexpr bool range_inside(std::uint64_t offset, std::uint64_t size,
                            std::uint64_t total) noexcept {
    return offset <= total && size <= total - offset;
}

} // namespace coldstart
