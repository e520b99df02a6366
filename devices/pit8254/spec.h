// Registers of a PC's interval timer and of system control port B.
// Source: Intel 8254 data sheet (231164); port 0x61: ICH9 data sheet section 13.7.1.
#pragma once

#include <cstdint>

namespace coldstart::pit8254 {

inline constexpr std::uint64_t input_hz = 1'193'182;
inline constexpr unsigned counters = 3;

inline constexpr unsigned region_timer = 0;   // 4 ports
inline constexpr unsigned region_control = 1; // 1 port: system control port B

// Offset of a port of region_timer: 0 to 2 are the counters (RW)
inline constexpr std::uint64_t port_control_word = 3; // WO

inline constexpr std::uint8_t control_bcd = 1 << 0;
inline constexpr unsigned control_mode_shift = 1;    // 3 bits; 6 and 7 are 2 and 3
inline constexpr unsigned control_access_shift = 4;  // 2 bits; 0 latches the count
inline constexpr unsigned control_counter_shift = 6; // 2 bits; 3 is the read-back command
inline constexpr std::uint8_t read_back_no_count = 1 << 5;
inline constexpr std::uint8_t read_back_no_status = 1 << 4;
inline constexpr unsigned read_back_counters_shift = 1; // a bit a counter

enum class Access : std::uint8_t { latch, low, high, low_then_high };

inline constexpr unsigned status_output_shift = 7;
inline constexpr unsigned status_null_count_shift = 6; // the count written has not been loaded

// System control port B                              access
inline constexpr std::uint8_t control_gate_2 = 1 << 0;   // RW: counter 2 may count
inline constexpr std::uint8_t control_writable = 0x0f;   // RW: gate, speaker, NMI enables (kept)
inline constexpr std::uint8_t control_refresh = 1 << 4;  // RO: toggles with each memory refresh
inline constexpr std::uint8_t control_output_2 = 1 << 5; // RO

inline constexpr std::uint64_t refresh_ns = 15'085;

/// A guest can't make the host's timer thread spin.
inline constexpr std::uint64_t min_interrupt_interval_ns = 200'000;

} // namespace coldstart::pit8254
