// What the monitor behind the adapter says of itself: 1024 by 768 is its own size, the usual others
// are welcome. Firmware and drivers choose their first mode by it.
// Source: VESA Enhanced EDID Standard, release A, revision 2 (EDID 1.4), section 3; VESA DMT 1.0
// for the timings.
// Missing: extension blocks.
#pragma once

#include <array>
#include <cstdint>

namespace coldstart::vga {

inline constexpr std::size_t edid_bytes = 128;

const std::array<std::uint8_t, edid_bytes>& edid() noexcept;

} // namespace coldstart::vga
