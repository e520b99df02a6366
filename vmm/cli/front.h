// The program around its commands: arguments in, exit status out. `run` and `doctor` are handed
// in, since they need KVM and this room's tests don't.
#pragma once

#include "vmm/cli/args.h"

#include <functional>

namespace coldstart {

/// The exit statuses scripts rely on.
namespace exit_status {
inline constexpr int powered_off = 0;
inline constexpr int host_failed = 1;
inline constexpr int bad_usage = 2;
inline constexpr int guest_crashed = 3;
inline constexpr int guest_rebooted = 4;
inline constexpr int timed_out = 124;
inline constexpr int signal_base = 128; ///< plus the signal's number
} // namespace exit_status

struct CommandHandlers {
    std::function<int(const RunCommand&)> run;
    std::function<int(const ServeCommand&)> serve;
    /// With Firecracker's own arguments, which have statuses of their own.
    std::function<int(std::span<const std::string_view>)> firecracker;
    std::function<int(const DoctorCommand&)> doctor;
    std::function<int(const BenchCommand&)> bench;
};

/// Parses, carries out, and turns whatever is thrown into one line on stderr and a status.
int front_main(std::span<const std::string_view> arguments, const CommandHandlers& handlers);

} // namespace coldstart
