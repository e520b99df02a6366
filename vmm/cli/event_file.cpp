#include "vmm/cli/event_file.h"

#include "vmm/base/error.h"
#include "vmm/base/log.h"
#include "vmm/base/text.h"
#include "vmm/runtime/control/machine_controller.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/uio.h>

namespace coldstart {
namespace {

/// One write for a line, so that it is in a FIFO whole or not at all. False: no more is wanted.
bool write_line(int fd, const std::string& path, std::string_view line) {
    char end = '\n';
    const iovec parts[] = {{const_cast<char*>(line.data()), line.size()}, {&end, 1}};
    if (::writev(fd, parts, 2) >= 0 || errno == EAGAIN || errno == EINTR)
        return true;
    const int error_number = errno;
    // A FIFO's reader may leave when it likes.
    if (error_number != EPIPE)
        log_error(system_error("--events " + printable(path), error_number,
                               "make room for it; this event and later ones are not in it")
                      .what());
    return false;
}

} // namespace

EventFile::EventFile(const std::string& path, MachineController& machine)
    : file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NONBLOCK | O_CLOEXEC,
                   0644)) {
    if (!file_)
        throw system_error("--events " + printable(path), errno,
                           errno == ENXIO ? "start who reads the FIFO first"
                                          : "give a path that can be written");
    subscription_ = machine.follow_events(
        [fd = file_.get(), path](std::string_view line) { return write_line(fd, path, line); });
}

} // namespace coldstart
