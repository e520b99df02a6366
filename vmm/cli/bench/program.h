// Other monitors' programs: found, and in the lab put into memory with all they load.
// Threads: one.
#pragma once

#include "vmm/cli/bench/bench.h"
#include "vmm/cli/bench/words.h"

#include <string>

namespace coldstart {

/// Its path, looked for in PATH unless it has a slash; empty: there is no such program.
std::string find_program(const std::string& program);

/// Copies the program, the shared libraries it is linked with and their loader into `folder`, and
/// gives the words that start the copy. Throws Error.
Words copy_program(const std::string& program, const std::string& folder);

/// Copies of what QEMU reads beside the kernel, for its flag -L.
void copy_qemu_data(const std::string& folder);

} // namespace coldstart
