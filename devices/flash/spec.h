// Commands, status bits and tables of a parallel NOR flash with the Intel command set (0001h).
// Source: JEDEC JESD68.01 (Common Flash Interface), JEP137 (command set 0001h), Intel StrataFlash
// Memory (J3) data sheet, "Command definitions" and "Status register".
#pragma once

#include <cstddef>
#include <cstdint>

namespace coldstart::flash {

inline constexpr std::size_t block_bytes = 4096; // OVMF's variable store counts in these
inline constexpr std::size_t buffer_bytes = 256; // of a buffered program, and its alignment
inline constexpr std::uint64_t max_size_bytes = 16ull * 1024 * 1024;

// First cycle: the low byte of any write while no sequence runs.
inline constexpr std::uint8_t cmd_program_alternate = 0x10;
inline constexpr std::uint8_t cmd_erase_block = 0x20;
inline constexpr std::uint8_t cmd_program = 0x40;
inline constexpr std::uint8_t cmd_clear_status = 0x50;
inline constexpr std::uint8_t cmd_lock_setup = 0x60;
inline constexpr std::uint8_t cmd_read_status = 0x70;
inline constexpr std::uint8_t cmd_read_id = 0x90;
inline constexpr std::uint8_t cmd_query = 0x98;
inline constexpr std::uint8_t cmd_buffered_program = 0xe8;
inline constexpr std::uint8_t cmd_read_array = 0xff; // and every command not in this list

// Last cycle of erase, buffered program and lock sequences.
inline constexpr std::uint8_t confirm = 0xd0;      // of a lock sequence: unlock
inline constexpr std::uint8_t confirm_lock = 0x01; // after cmd_lock_setup

// Status register, RO.
inline constexpr std::uint8_t status_ready = 0x80;
inline constexpr std::uint8_t status_erase_error = 0x20;
inline constexpr std::uint8_t status_program_error = 0x10;
inline constexpr std::uint8_t status_sequence_error = status_erase_error | status_program_error;
inline constexpr std::uint8_t status_block_locked = 0x02;
inline constexpr std::uint8_t status_bits =
    status_ready | status_sequence_error | status_block_locked;

// Identifier codes, by offset; the lock byte in every block.
inline constexpr std::size_t id_manufacturer = 0;
inline constexpr std::size_t id_device = 1;
inline constexpr std::size_t id_block_lock = 2;
inline constexpr std::uint8_t manufacturer_intel = 0x89;
inline constexpr std::uint8_t device_code = 0x18;

} // namespace coldstart::flash
