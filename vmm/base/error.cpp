#include "vmm/base/error.h"

#include <system_error>

namespace coldstart {

Error system_error(const std::string& thing, int error_number, const std::string& remedy) {
    // std::generic_category, unlike strerror, may be called from any thread.
    return Error(thing + ": " + std::generic_category().message(error_number), remedy);
}

} // namespace coldstart
