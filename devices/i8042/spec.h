// Registers and commands of the Intel 8042 keyboard controller of the PC/AT and PS/2, and of the
// keyboard and the mouse behind it.
// Source: IBM PC/AT and PS/2 Hardware Interface Technical References, "Keyboard controller",
// "Keyboard" and "Mouse"; ICH9 data sheet 5.10.
#pragma once

#include <cstdint>

namespace coldstart::i8042 {

inline constexpr unsigned region_data = 0;    // RO output buffer (empty: zero), WO operand
inline constexpr unsigned region_command = 1; // RO status, WO command

inline constexpr std::uint8_t status_idle = 0; // nothing to read, ready for a command

// Status, RO.
inline constexpr std::uint8_t status_output_full = 0x01;
inline constexpr std::uint8_t status_system = 0x04;     // copy of the command byte's
inline constexpr std::uint8_t status_command = 0x08;    // the last write was a command
inline constexpr std::uint8_t status_not_locked = 0x10; // the key switch of an AT
inline constexpr std::uint8_t status_auxiliary = 0x20;  // what is to be read is the mouse's
inline constexpr std::uint8_t status_timeout = 0x40;    // the addressed device did not answer

// Command byte, RW by cmd_read_ram and cmd_write_ram of byte 0.
inline constexpr std::uint8_t byte_keyboard_interrupt = 0x01;
inline constexpr std::uint8_t byte_auxiliary_interrupt = 0x02;
inline constexpr std::uint8_t byte_system = 0x04;
inline constexpr std::uint8_t byte_keyboard_off = 0x10;
inline constexpr std::uint8_t byte_auxiliary_off = 0x20;
inline constexpr std::uint8_t byte_translate = 0x40;
inline constexpr std::uint8_t byte_power_on =
    byte_keyboard_interrupt | byte_auxiliary_off | byte_translate;

// Commands.
inline constexpr std::uint8_t cmd_read_ram = 0x20;  // 0x20 to 0x3f
inline constexpr std::uint8_t cmd_write_ram = 0x60; // 0x60 to 0x7f, takes a data byte
inline constexpr std::uint8_t cmd_ram_mask = 0xe0;
inline constexpr std::uint8_t cmd_test_password = 0xa4;
inline constexpr std::uint8_t cmd_auxiliary_off = 0xa7;
inline constexpr std::uint8_t cmd_auxiliary_on = 0xa8;
inline constexpr std::uint8_t cmd_test_auxiliary = 0xa9;
inline constexpr std::uint8_t cmd_self_test = 0xaa;
inline constexpr std::uint8_t cmd_test_keyboard = 0xab;
inline constexpr std::uint8_t cmd_keyboard_off = 0xad;
inline constexpr std::uint8_t cmd_keyboard_on = 0xae;
inline constexpr std::uint8_t cmd_read_input_port = 0xc0;
inline constexpr std::uint8_t cmd_read_output_port = 0xd0;
inline constexpr std::uint8_t cmd_write_keyboard_buffer = 0xd2;  // takes a data byte
inline constexpr std::uint8_t cmd_write_auxiliary_buffer = 0xd3; // takes a data byte
inline constexpr std::uint8_t cmd_write_auxiliary = 0xd4;        // takes a data byte
inline constexpr std::uint8_t cmd_a20_off = 0xdd;
inline constexpr std::uint8_t cmd_a20_on = 0xdf;

inline constexpr std::uint8_t no_password = 0xf1;
inline constexpr std::uint8_t self_test_passed = 0x55;
inline constexpr std::uint8_t line_good = 0x00;
inline constexpr std::uint8_t clock_stuck_low = 0x01;
inline constexpr std::uint8_t input_port_value = 0x80; // keyboard not inhibited
inline constexpr std::uint8_t no_answer = 0xfe;

inline constexpr unsigned cmd_write_output_port = 0xd1; // the next data byte goes to that port
// 0xf0 to 0xff pull low, for 6 us, the lines of the output port whose bit is clear.
inline constexpr unsigned cmd_pulse_mask = 0xf0;
inline constexpr unsigned cmd_pulse = 0xf0;
inline constexpr unsigned output_port_not_reset = 0x01; // low: the processor is held in reset

/// Whether the next data byte belongs to the command.
constexpr bool takes_data(std::uint8_t command) noexcept {
    return (command & cmd_ram_mask) == cmd_write_ram || command == cmd_write_output_port ||
           command == cmd_write_keyboard_buffer || command == cmd_write_auxiliary_buffer ||
           command == cmd_write_auxiliary;
}

inline constexpr std::uint8_t output_port_a20 = 0x02;
inline constexpr std::uint8_t output_port_full = 0x10; // interrupt 1: there is a byte to read
inline constexpr std::uint8_t output_port_auxiliary_full = 0x20; // interrupt 12
inline constexpr std::uint8_t output_port_fullness = output_port_full | output_port_auxiliary_full;
inline constexpr std::uint8_t output_port_power_on = 0xc3; // out of reset, A20 on, lines idle

// What the keyboard takes...
inline constexpr std::uint8_t key_set_leds = 0xed; // takes a byte
inline constexpr std::uint8_t key_echo = 0xee;
inline constexpr std::uint8_t key_code_set = 0xf0; // takes a byte: 0 asks
inline constexpr std::uint8_t key_identify = 0xf2;
inline constexpr std::uint8_t key_typematic = 0xf3; // takes a byte
inline constexpr std::uint8_t key_enable = 0xf4;
inline constexpr std::uint8_t key_default_off = 0xf5;
inline constexpr std::uint8_t key_default = 0xf6;
inline constexpr std::uint8_t key_resend = 0xfe;
inline constexpr std::uint8_t key_reset = 0xff;
inline constexpr std::uint8_t first_key_command = key_set_leds; // smaller bytes are operands

// ... and what it sends besides scan codes.
inline constexpr std::uint8_t key_acknowledge = 0xfa;
inline constexpr std::uint8_t key_self_test_passed = 0xaa;
inline constexpr std::uint8_t key_refuse = 0xfe;
inline constexpr std::uint8_t key_release = 0xf0; // of scan code set 2: the key went up

// What the mouse takes...
inline constexpr std::uint8_t mouse_scale_1_1 = 0xe6;
inline constexpr std::uint8_t mouse_scale_2_1 = 0xe7;
inline constexpr std::uint8_t mouse_set_resolution = 0xe8; // takes a byte: counts a mm, log 2
inline constexpr std::uint8_t mouse_status = 0xe9;
inline constexpr std::uint8_t mouse_stream = 0xea;
inline constexpr std::uint8_t mouse_read_data = 0xeb;
inline constexpr std::uint8_t mouse_end_wrap = 0xec;
inline constexpr std::uint8_t mouse_wrap = 0xee;
inline constexpr std::uint8_t mouse_remote = 0xf0;
inline constexpr std::uint8_t mouse_identify = 0xf2;
inline constexpr std::uint8_t mouse_set_rate = 0xf3; // takes a byte
inline constexpr std::uint8_t mouse_enable = 0xf4;
inline constexpr std::uint8_t mouse_disable = 0xf5;
inline constexpr std::uint8_t mouse_defaults = 0xf6;
inline constexpr std::uint8_t mouse_resend = 0xfe;
inline constexpr std::uint8_t mouse_reset = 0xff;

// ... and what it sends besides packets.
inline constexpr std::uint8_t mouse_acknowledge = 0xfa;
inline constexpr std::uint8_t mouse_self_test_passed = 0xaa;
inline constexpr std::uint8_t mouse_refuse = 0xfe;

} // namespace coldstart::i8042
