// Bits of the reset control register of PCI chipsets, at port 0xcf9, which the FADT's RESET_REG
// names on machines that have it. Source: ICH9 data sheet 13.7.5 (RST_CNT).
#pragma once

#include <cstdint>

namespace coldstart::rst_cnt {

inline constexpr unsigned reset_system = 0x02; // kept: a hard reset or an INIT, all the same here
inline constexpr unsigned reset_cpu = 0x04;    // WO: a write of one resets
inline constexpr unsigned reset_full = 0x08;   // kept: cuts the power for a moment, without effect
inline constexpr unsigned reset_kept = reset_system | reset_full;
inline constexpr std::uint8_t reset_value = reset_system | reset_cpu;

} // namespace coldstart::rst_cnt
