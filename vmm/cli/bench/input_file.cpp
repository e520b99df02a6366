#include "vmm/cli/bench/input_file.h"

#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace coldstart {
namespace {

constexpr std::uintmax_t max_file_bytes = 256 * MiB;

} // namespace

std::string read_input_file(const std::string& path, const char* remedy) {
    std::error_code error;
    const std::uintmax_t size_bytes = std::filesystem::file_size(path, error);
    if (error)
        throw system_error(printable(path), error.value(), remedy);
    if (size_bytes > max_file_bytes)
        throw Error(cat(printable(path), ": ", size_bytes, " bytes are too many"), remedy);
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    // An empty file sets the stream's failbit, and is no trouble of reading.
    if (!file.is_open() || file.bad())
        throw system_error(printable(path), errno, "give a file that can be read");
    return text.str();
}

} // namespace coldstart
