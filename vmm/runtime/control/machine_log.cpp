#include "vmm/runtime/control/machine_log.h"

#include "vmm/base/error.h"
#include "vmm/base/log.h"
#include "vmm/base/text.h"

#include <cerrno>

#include <fcntl.h>

namespace coldstart {

UniqueFd open_lines_file(const std::string& what, const std::string& path) {
    // Reading as well keeps a FIFO open between its readers.
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC, 0644));
    if (!fd)
        throw system_error(cat(what, ": ", printable(path, 200)), errno,
                           "give a path that can be written");
    return fd;
}

MachineLog::~MachineLog() {
    if (file_)
        set_log_target(STDERR_FILENO);
}

void MachineLog::configure(const LoggerConfig& change) {
    UniqueFd next;
    if (change.path)
        next = open_lines_file("logger: log_path", *change.path);
    show_level_ = change.show_level.value_or(show_level_);
    show_origin_ = change.show_origin.value_or(show_origin_);
    set_log_level(parse_log_level(change.level.value_or("info")).value_or(LogLevel::info));
    set_log_style({true, show_level_, show_origin_});
    if (next) {
        set_log_target(next.get());
        file_ = std::move(next);
    }
}

} // namespace coldstart
