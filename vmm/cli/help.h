// The help texts, laid out for 80 columns from the flag table.
#pragma once

#include <string>
#include <string_view>

namespace coldstart {

/// The overview for an empty topic, else the help of that command, which must exist.
std::string help_text(std::string_view topic);

/// "coldstart 0.1.0\n"
std::string version_text();

} // namespace coldstart
