// What is here of the Intel 8042 keyboard controller of the PC/AT: its reset line.
// Source: IBM PC/AT Technical Reference, "Keyboard controller"; ICH9 data sheet 5.10.
#pragma once

#include <cstdint>

namespace coldstart::i8042 {

inline constexpr unsigned region_data = 0;    // RO output buffer (empty: zero), WO operand
inline constexpr unsigned region_command = 1; // RO status, WO command

inline constexpr std::uint8_t status_idle = 0; // nothing to read, ready for a command

inline constexpr unsigned cmd_write_output_port = 0xd1; // the next data byte goes to that port
// 0xf0 to 0xff pull low, for 6 us, the lines of the output port whose bit is clear.
inline constexpr unsigned cmd_pulse_mask = 0xf0;
inline constexpr unsigned cmd_pulse = 0xf0;
inline constexpr unsigned output_port_not_reset = 0x01; // low: the processor is held in reset

} // namespace coldstart::i8042
