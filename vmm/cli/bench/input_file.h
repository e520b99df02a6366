// A file that an earlier run of coldstart wrote, read whole.
// Threads: any.
#pragma once

#include <string>

namespace coldstart {

/// Its text. Throws Error, with `remedy`, when it can't be read or is larger than any such file.
std::string read_input_file(const std::string& path, const char* remedy);

} // namespace coldstart
