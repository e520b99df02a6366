// Configuration files: the JSON of the control socket's requests, section by section.
#pragma once

#include "api/command/request.h"

#include <string>
#include <vector>

namespace coldstart {

/// The requests of a file. Throws Error that names the file.
std::vector<Request> read_config_file(const std::string& path);

/// Puts what a file says of the machine into `config`; what is left, about logs and metrics, is
/// returned. Throws Error that names the file.
std::vector<Request> apply_config_file(const std::string& path, VmConfig& config);

} // namespace coldstart
