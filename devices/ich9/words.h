// Registers seen as little-endian doublewords: an access of up to four bytes at any alignment
// becomes one or two of them.
// Threads: none of its own.
#pragma once

#include "devices/core/device.h"

#include <cstdint>

namespace coldstart::ich9 {

/// `read_word(offset)` gives the doubleword at a multiple of four; `width` is 1, 2 or 4.
template <typename ReadWord>
std::uint64_t read_words(std::uint64_t offset, unsigned width, ReadWord read_word) noexcept {
    const std::uint64_t first = offset & ~std::uint64_t{3};
    std::uint64_t value = read_word(first);
    if (offset + width > first + 4)
        value |= std::uint64_t{read_word(first + 4)} << 32;
    return value >> (offset % 4 * 8) & all_ones(width);
}

/// `write_word(offset, mask, value)`: the mask has ones where the access has bytes, the value has
/// zeros elsewhere.
template <typename WriteWord>
void write_words(std::uint64_t offset, unsigned width, std::uint64_t value,
                 WriteWord write_word) noexcept {
    const std::uint64_t first = offset & ~std::uint64_t{3};
    const std::uint64_t mask = all_ones(width) << (offset % 4 * 8);
    const std::uint64_t shifted = value << (offset % 4 * 8) & mask;
    write_word(first, static_cast<std::uint32_t>(mask), static_cast<std::uint32_t>(shifted));
    if (mask >> 32 != 0)
        write_word(first + 4, static_cast<std::uint32_t>(mask >> 32),
                   static_cast<std::uint32_t>(shifted >> 32));
}

} // namespace coldstart::ich9
