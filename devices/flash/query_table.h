// The CFI query table, by which a driver learns a flash's geometry.
// Source: JEDEC JESD68.01, section 2 "CFI query"; JEP137 for the extended table of set 0001h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace coldstart::flash {

inline constexpr std::size_t query_bytes = 64;

/// `size_bytes` is whole blocks, up to max_size_bytes.
std::array<std::uint8_t, query_bytes> make_query_table(std::uint64_t size_bytes) noexcept;

} // namespace coldstart::flash
