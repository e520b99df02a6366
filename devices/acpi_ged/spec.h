// Regions and registers of a hardware-reduced ACPI machine's power management.
// Source: ACPI 6.4 section 4.8.3.7 (sleep control and status registers).
#pragma once

#include <cstdint>

namespace coldstart::acpi_ged {

inline constexpr unsigned region_sleep_control = 0; // 1 byte: RW
inline constexpr unsigned region_sleep_status = 1;  // 1 byte: W1C
inline constexpr unsigned region_reset = 2;         // 1 byte: RW, core/acpi/reset_control.h
inline constexpr unsigned region_power_off = 3;     // 2 bytes: written as PM1_CNT, core/acpi

// Sleep control
inline constexpr unsigned sleep_type_shift = 2;
inline constexpr unsigned sleep_type_mask = 7u << sleep_type_shift;
inline constexpr unsigned sleep_enable = 1u << 5; // WO: enters the state of SLP_TYP

// Sleep status
inline constexpr unsigned wake_status = 1u << 7;

inline constexpr std::uint8_t s5_sleep_type = 5;

} // namespace coldstart::acpi_ged
