#include "vmm/cli/config_flag.h"

#include "api/json/config_file.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/runtime/control/configuration.h"

#include <cerrno>
#include <fstream>
#include <sstream>
#include <utility>

namespace coldstart {

std::vector<Request> read_config_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    if (!file || !(text << file.rdbuf()))
        throw system_error(cat("configuration ", printable(path, 200)), errno,
                           "name a file of JSON");
    try {
        return parse_config_file(text.str());
    } catch (const Error& error) {
        throw Error(cat("configuration ", printable(path, 200), ": ", error.what()));
    }
}

std::vector<Request> apply_config_file(const std::string& path, VmConfig& config) {
    std::vector<Request> left;
    Configuration configuration(config, Configuration::Hold::no);
    for (Request& request : read_config_file(path)) {
        const bool applied = std::visit(
            [&](const auto& put) {
                if constexpr (requires { configuration.apply(put); }) {
                    configuration.apply(put);
                    return true;
                } else {
                    return false;
                }
            },
            request);
        if (!applied)
            left.push_back(std::move(request));
    }
    config = configuration.config();
    return left;
}

} // namespace coldstart
