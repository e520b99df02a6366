// Regions and the reset register of the ACPI power management device. The reset register is the
// RST_CNT register of PCI chipsets (ICH9 data sheet 13.7.5); PM1 bits are in core/acpi.
#pragma once

#include "devices/core/acpi/pm1_spec.h"

#include <cstdint>

namespace coldstart::acpi_pm {

inline constexpr unsigned region_pm1_event = 0;   // 4 bytes: PM1_STS (W1C), PM1_EN (RW)
inline constexpr unsigned region_pm1_control = 1; // 2 bytes: PM1_CNT (RW)
inline constexpr unsigned region_pm_timer = 2;    // 4 bytes: RO
inline constexpr unsigned region_reset = 3;       // 1 byte: RW

// Reset register
inline constexpr unsigned reset_system = 0x02; // a hard reset instead of an INIT: all the same here
inline constexpr unsigned reset_cpu = 0x04;    // WO: resets
inline constexpr unsigned reset_full = 0x08;   // cuts the power for a moment: kept, without effect
inline constexpr unsigned reset_kept = reset_system | reset_full;
inline constexpr std::uint8_t reset_value = reset_system | reset_cpu;

} // namespace coldstart::acpi_pm
