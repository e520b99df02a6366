// coldstart in Firecracker's guise: its own arguments and exit statuses, for programs that start it
// as `firecracker`.
// Source: Firecracker's --help and docs; src/firecracker's exit codes as documented.
//
// Accepted and without effect, since there is nothing behind them here: the seccomp filters
// (--no-seccomp, --seccomp-filter), the start times for its metrics, --boot-timer, --enable-pci
// (devices stay on MMIO).
#pragma once

#include "api/command/request.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace coldstart {

namespace firecracker_status {
inline constexpr int ok = 0;
inline constexpr int error = 1;
inline constexpr int bad_configuration = 152;
inline constexpr int bad_argument = 153;
} // namespace firecracker_status

struct FirecrackerArguments {
    std::string api_socket = "/run/firecracker.socket";
    bool api = true;
    std::string id = "anonymous-instance";
    std::string config_path;
    std::string metadata_path;
    std::optional<std::size_t> max_body_bytes;
    std::optional<std::size_t> metadata_limit_bytes;
    LoggerConfig logger;
    std::string metrics_path;
    bool version = false;
    bool help = false;
    bool wants_pci = false;

    bool wants_logger() const noexcept {
        return logger.path || logger.level || logger.show_level || logger.show_origin ||
               logger.module;
    }
};

/// Throws UsageError. "--name value" is the only form; nothing may come twice.
FirecrackerArguments parse_firecracker(std::span<const std::string_view> arguments);

/// The process's exit status.
int firecracker_command(std::span<const std::string_view> arguments);

} // namespace coldstart
