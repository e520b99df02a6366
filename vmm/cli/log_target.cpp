#include "vmm/cli/log_target.h"

#include "vmm/base/error.h"

#include <cerrno>

#include <fcntl.h>

namespace coldstart {

LogTarget::LogTarget(LogLevel level, const std::string& path) {
    set_log_level(level);
    if (path.empty())
        return;
    file_.reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    if (!file_)
        throw system_error("--log " + path, errno, "give a path that can be written");
    set_log_target(file_.get());
}

LogTarget::~LogTarget() {
    set_log_target(STDERR_FILENO);
}

} // namespace coldstart
