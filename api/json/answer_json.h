// Answers as JSON text.
// Source: Firecracker's API document for what bears its names; ours: docs/api.md.
// Threads: any.
#pragma once

#include "api/command/answer.h"

#include <string>
#include <string_view>

namespace coldstart {

/// What GET /version and --version say: the release of Firecracker whose API this is.
inline constexpr std::string_view api_version = "1.16.0";

/// The body; empty for NoContent. Of a Refusal: {"fault_message": ...}.
std::string answer_json(const Answer& answer);

std::string fault_json(std::string_view message);

} // namespace coldstart
