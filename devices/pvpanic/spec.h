// The one register of pvpanic. Source: QEMU docs/specs/pvpanic.
#pragma once

#include <cstdint>

namespace coldstart::pvpanic {

// RO: which events the device knows; WO: the events that happened.
inline constexpr std::uint64_t event_panicked = 0x01;
inline constexpr std::uint64_t event_crash_loaded = 0x02; // a crash kernel takes over
inline constexpr std::uint64_t events = event_panicked | event_crash_loaded;

} // namespace coldstart::pvpanic
