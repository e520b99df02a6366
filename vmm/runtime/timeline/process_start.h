// When this process began, as well as it can be known.
// Threads: the main thread, early.
#pragma once

#include <cstdint>

namespace coldstart {

/// Who starts coldstart may set this variable to its CLOCK_MONOTONIC, in nanoseconds, right before.
inline constexpr const char* start_variable = "COLDSTART_START_NS";

struct ProcessStart {
    std::uint64_t time_ns = 0; ///< CLOCK_MONOTONIC
    bool told = false;         ///< by start_variable; else worked out
};

/// What `told` (the variable's value, or nullptr) says, if it is a time within the last minute
/// before `now_ns`; else `now_ns` less the CPU time that the process has used.
ProcessStart process_start(const char* told, std::uint64_t now_ns,
                           std::uint64_t cpu_time_ns) noexcept;
/// Of this process, now.
ProcessStart process_start() noexcept;

} // namespace coldstart
