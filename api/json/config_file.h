// A configuration file: Firecracker's sections and ours, each with the body of the request that
// sets it, in one JSON object (docs/api.md).
// Threads: any.
#pragma once

#include "api/command/answer.h"
#include "api/json/json_reader.h"
#include "api/json/request_json.h"

#include <string_view>
#include <vector>

namespace coldstart {

/// The requests that set what the file says, in the order in which they have to be made. Unknown
/// sections are passed over, as Firecracker does. Throws Error.
std::vector<Request> parse_config_file(std::string_view text);

/// The sections of a configuration, null where nothing is set.
Json config_json(const VmConfig& config);
Json machine_json(const MachineConfig& machine);
Json balloon_json(const BalloonConfig& balloon);

/// "auto", "linux", "pvh", "firmware".
std::string_view boot_mode_name(BootMode mode) noexcept;

} // namespace coldstart
