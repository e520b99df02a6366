// Registers of the real-time clock and CMOS RAM of a PC.
// Source: Motorola MC146818A data sheet; the century byte is where IBM's PS/2 successors and the
// FADT's CENTURY field put it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace coldstart::cmos {

inline constexpr unsigned region_registers = 0;
inline constexpr unsigned region_extended = 1; // the same two ports for registers 128 to 255

inline constexpr std::uint64_t port_index = 0; // WO: bits 6:0 select a register, bit 7 masks NMI
inline constexpr std::uint64_t port_data = 1;  // RW
inline constexpr unsigned index_mask = 0x7f;

inline constexpr std::size_t ram_bytes = 128;

// Index                                          access
inline constexpr std::size_t reg_seconds = 0x00;       // RW
inline constexpr std::size_t reg_alarm_seconds = 0x01; // RW
inline constexpr std::size_t reg_minutes = 0x02;       // RW
inline constexpr std::size_t reg_alarm_minutes = 0x03; // RW
inline constexpr std::size_t reg_hours = 0x04;         // RW
inline constexpr std::size_t reg_alarm_hours = 0x05;   // RW
inline constexpr std::size_t reg_weekday = 0x06;       // RW, 1 is Sunday
inline constexpr std::size_t reg_day = 0x07;           // RW
inline constexpr std::size_t reg_month = 0x08;         // RW
inline constexpr std::size_t reg_year = 0x09;          // RW
inline constexpr std::size_t reg_a = 0x0a;             // RW but UIP
inline constexpr std::size_t reg_b = 0x0b;             // RW
inline constexpr std::size_t reg_c = 0x0c;             // RO, a read clears it
inline constexpr std::size_t reg_d = 0x0d;             // RO
inline constexpr std::size_t reg_century = 0x32;       // RW; FADT CENTURY names it

inline constexpr unsigned a_update_in_progress = 0x80;
inline constexpr unsigned a_divider = 0x70;
inline constexpr unsigned a_divider_reset = 0x60; // both bits: the divider stands still
inline constexpr unsigned a_rate = 0x0f;
inline constexpr std::uint8_t a_power_on = 0x26; // 32768 Hz crystal, 1024 Hz periodic rate

inline constexpr unsigned b_set = 0x80;
inline constexpr unsigned b_periodic = 0x40;
inline constexpr unsigned b_alarm = 0x20;
inline constexpr unsigned b_update_ended = 0x10;
inline constexpr unsigned b_binary = 0x04;
inline constexpr unsigned b_24_hours = 0x02;
inline constexpr std::uint8_t b_power_on = b_24_hours;

// The flags of C stand where B enables them.
inline constexpr unsigned c_interrupt = 0x80;
inline constexpr unsigned c_periodic = b_periodic;
inline constexpr unsigned c_alarm = b_alarm;
inline constexpr unsigned c_update_ended = b_update_ended;
inline constexpr unsigned c_flags = c_periodic | c_alarm | c_update_ended;

inline constexpr std::uint8_t d_valid_ram_and_time = 0x80;

inline constexpr unsigned hours_pm = 0x80;        // 12-hour mode
inline constexpr unsigned alarm_dont_care = 0xc0; // both bits: matches any value

inline constexpr std::uint64_t crystal_hz = 32'768;
inline constexpr std::int64_t update_warning_ns = 244'141; // UIP precedes an update by 8 cycles

} // namespace coldstart::cmos
