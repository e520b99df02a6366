// Registers of a high precision event timer block.
// Source: IA-PC HPET Specification 1.0a, section 2.3.
#pragma once

#include <cstdint>

namespace coldstart::hpet {

inline constexpr std::uint64_t region_bytes = 0x400;
inline constexpr unsigned timer_count = 3;

// Offset                                            access
inline constexpr std::uint64_t reg_capabilities = 0x000;  // RO
inline constexpr std::uint64_t reg_configuration = 0x010; // RW
inline constexpr std::uint64_t reg_status = 0x020;        // RW, a one clears
inline constexpr std::uint64_t reg_counter = 0x0f0;       // RW while halted, else RO
inline constexpr std::uint64_t reg_timers = 0x100;        // one every timer_stride
inline constexpr std::uint64_t timer_stride = 0x20;
inline constexpr std::uint64_t timer_configuration = 0x00; // RW, capabilities RO
inline constexpr std::uint64_t timer_comparator = 0x08;    // RW
inline constexpr std::uint64_t register_bytes = 8;         // two halves of four, each by itself

// Capabilities: revision 1, three timers, a counter of 64 bits, no legacy replacement, Intel.
inline constexpr std::uint64_t tick_ns = 10;
inline constexpr std::uint64_t capability_64_bits = 1u << 13;
inline constexpr std::uint64_t capability_last_timer = (timer_count - 1) << 8;
inline constexpr std::uint64_t capability_vendor = 0x8086u << 16;
inline constexpr std::uint64_t period_fs = tick_ns * 1'000'000;
inline constexpr std::uint64_t capabilities =
    period_fs << 32 | capability_vendor | capability_64_bits | capability_last_timer | 1;

inline constexpr std::uint64_t configuration_enable = 0x1; // the counter runs

inline constexpr std::uint64_t timer_level = 1u << 1;
inline constexpr std::uint64_t timer_interrupt = 1u << 2;
inline constexpr std::uint64_t timer_periodic = 1u << 3;
inline constexpr std::uint64_t timer_can_repeat = 1u << 4; // RO
inline constexpr std::uint64_t timer_64_bits = 1u << 5;    // RO
inline constexpr std::uint64_t timer_set_value = 1u << 6;  // clears itself
inline constexpr std::uint64_t timer_32_bit_mode = 1u << 8;
inline constexpr unsigned timer_route_shift = 9; // 5 bits
inline constexpr std::uint64_t timer_route = 0x1fu << timer_route_shift;
inline constexpr unsigned timer_routes_shift = 32; // RO: a bit for each route there is
inline constexpr std::uint64_t timer_writable = timer_level | timer_interrupt | timer_periodic |
                                                timer_set_value | timer_32_bit_mode | timer_route;

} // namespace coldstart::hpet
