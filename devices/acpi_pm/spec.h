// Regions of the ACPI power management device; its registers' bits are in core/acpi.
#pragma once

#include "devices/core/acpi/pm1_spec.h"

#include <cstdint>

namespace coldstart::acpi_pm {

inline constexpr unsigned region_pm1_event = 0;   // 4 bytes: PM1_STS (W1C), PM1_EN (RW)
inline constexpr unsigned region_pm1_control = 1; // 2 bytes: PM1_CNT (RW)
inline constexpr unsigned region_pm_timer = 2;    // 4 bytes: RO
inline constexpr unsigned region_reset = 3;       // 1 byte: RW

} // namespace coldstart::acpi_pm
