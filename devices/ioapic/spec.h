// Registers of an I/O APIC.
// Source: Intel 82093AA data sheet (290566), section 3; the EOI register: ICH9 data sheet 13.5.
#pragma once

#include <cstdint>

namespace coldstart::ioapic {

inline constexpr unsigned pins = 24;
inline constexpr std::uint64_t region_bytes = 0x100;

// Offset                                      access
inline constexpr std::uint64_t reg_select = 0x00; // RW, 8 bits used
inline constexpr std::uint64_t reg_window = 0x10; // as the selected register
inline constexpr std::uint64_t reg_eoi = 0x40;    // WO: a vector

// Selected by reg_select                           access
inline constexpr std::uint8_t index_id = 0x00;          // RW: bits 27:24
inline constexpr std::uint8_t index_version = 0x01;     // RO
inline constexpr std::uint8_t index_arbitration = 0x02; // RO
inline constexpr std::uint8_t index_redirection = 0x10; // RW: two a pin, low half first

inline constexpr std::uint32_t id_writable = 0x0f000000;
// Version 0x20 is the one that has the EOI register.
inline constexpr std::uint32_t version = (pins - 1) << 16 | 0x20;

// A redirection entry.                                  access
inline constexpr std::uint64_t entry_vector = 0xff;             // RW
inline constexpr unsigned entry_delivery_shift = 8;             // RW: 3 bits
inline constexpr std::uint64_t entry_logical = 1u << 11;        // RW
inline constexpr std::uint64_t entry_delivery_status = 1 << 12; // RO: always idle here
inline constexpr std::uint64_t entry_active_low = 1u << 13;     // RW, without effect here
inline constexpr std::uint64_t entry_remote_irr = 1u << 14;     // RO
inline constexpr std::uint64_t entry_level = 1u << 15;          // RW
inline constexpr std::uint64_t entry_masked = 1u << 16;         // RW
inline constexpr unsigned entry_destination_shift = 56;         // RW: 8 bits
inline constexpr std::uint64_t entry_writable =
    0xff00'0000'0001'ffff & ~(entry_delivery_status | entry_remote_irr);

inline constexpr unsigned delivery_fixed = 0;
inline constexpr unsigned delivery_lowest = 1;
inline constexpr unsigned delivery_extint = 7;

inline constexpr std::uint64_t first_valid_vector = 16;

} // namespace coldstart::ioapic
