// Registers of the two 8259A interrupt controllers of a PC.
// Source: Intel 8259A data sheet (231468); the edge/level registers: ICH9 data sheet 13.4.9, 13.4.10.
#pragma once

#include <cstdint>

namespace coldstart::pic8259 {

inline constexpr unsigned input_count = 16; // of both
inline constexpr unsigned chip_inputs = 8;
inline constexpr unsigned cascade_input = 2; // of the first chip, where the second one is

inline constexpr unsigned region_master = 0;
inline constexpr unsigned region_slave = 1;
inline constexpr unsigned region_elcr = 2; // RW: a byte a chip, a bit an input, level-triggered
inline constexpr std::uint64_t chip_ports = 2;

// Offset of a chip's port         access
inline constexpr std::uint64_t port_command = 0; // W: ICW1, OCW2, OCW3. R: IRR, ISR or a poll
inline constexpr std::uint64_t port_mask = 1;    // W: ICW2 to ICW4, OCW1. R: IMR

// Inputs that can't be level-triggered: timer, keyboard, cascade; clock, x87.
inline constexpr std::uint8_t elcr_writable[] = {0xf8, 0xde};

inline constexpr std::uint8_t icw1 = 1 << 4; // of a command: this one, else OCW2 or OCW3
inline constexpr std::uint8_t icw1_needs_icw4 = 1 << 0;
inline constexpr std::uint8_t icw1_single = 1 << 1;
inline constexpr std::uint8_t icw1_level = 1 << 3;
inline constexpr std::uint8_t icw2_vector = 0xf8;
inline constexpr std::uint8_t icw4_auto_eoi = 1 << 1;
inline constexpr std::uint8_t icw4_fully_nested = 1 << 4; // "special fully nested mode"

inline constexpr std::uint8_t ocw2_input = 7;
inline constexpr unsigned ocw2_command_shift = 5;
enum class Ocw2 : std::uint8_t {
    stop_rotating_on_auto_eoi,
    eoi,
    nothing,
    eoi_of_input,
    rotate_on_auto_eoi,
    eoi_and_rotate,
    set_lowest,
    eoi_of_input_and_rotate,
};

inline constexpr std::uint8_t ocw3 = 1 << 3; // of a command without icw1: this one, else OCW2
inline constexpr std::uint8_t ocw3_read_isr = 1 << 0;
inline constexpr std::uint8_t ocw3_read_chosen = 1 << 1; // read_isr says what
inline constexpr std::uint8_t ocw3_poll = 1 << 2;
inline constexpr std::uint8_t ocw3_special_mask = 1 << 5;
inline constexpr std::uint8_t ocw3_special_mask_chosen = 1 << 6;

inline constexpr std::uint8_t poll_interrupt = 1 << 7;
inline constexpr unsigned spurious_input = 7;

} // namespace coldstart::pic8259
