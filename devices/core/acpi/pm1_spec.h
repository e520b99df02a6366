// Bits of the ACPI fixed hardware's PM1 registers and PM timer. Source: ACPI 6.4 section 4.8.3.
#pragma once

#include <cstdint>

namespace coldstart::acpi_pm {

// PM1_STS (W1C) and PM1_EN (RW)
inline constexpr unsigned pm1_timer = 1u << 0;
inline constexpr unsigned pm1_global = 1u << 5;
inline constexpr unsigned pm1_power_button = 1u << 8;
inline constexpr unsigned pm1_rtc = 1u << 10;
inline constexpr unsigned pm1_wake = 1u << 15; // status only
inline constexpr unsigned pm1_status_mask = pm1_timer | pm1_power_button | pm1_wake;
inline constexpr unsigned pm1_enable_mask = pm1_timer | pm1_global | pm1_power_button | pm1_rtc;

// PM1_CNT (RW)
inline constexpr unsigned cnt_sci_enabled = 1u << 0;
inline constexpr unsigned cnt_bus_master_reload = 1u << 1; // kept, without effect
inline constexpr unsigned cnt_global_release = 1u << 2;    // WO, without effect: no SMI here
inline constexpr unsigned cnt_sleep_type_shift = 10;
inline constexpr unsigned cnt_sleep_type = 7u << cnt_sleep_type_shift;
inline constexpr unsigned cnt_sleep_enable = 1u << 13; // WO
inline constexpr unsigned cnt_kept = cnt_sci_enabled | cnt_bus_master_reload | cnt_sleep_type;

inline constexpr std::uint64_t timer_hz = 3'579'545;

} // namespace coldstart::acpi_pm
