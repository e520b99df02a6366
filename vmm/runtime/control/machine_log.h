// The log file that a client asks for, in Firecracker's form.
// Source: Firecracker's docs/logger.md. The file may be a FIFO: a line that its reader has no room
// for is lost rather than waited for.
// Threads: the control thread.
#pragma once

#include "api/command/vm_config.h"
#include "vmm/base/unique_fd.h"

#include <string>

namespace coldstart {

/// A file or FIFO for lines, made if it is not there. Throws Error naming `what` and the path.
UniqueFd open_lines_file(const std::string& what, const std::string& path);

class MachineLog {
  public:
    MachineLog() = default;
    /// Lines go to stderr again.
    ~MachineLog();
    MachineLog(const MachineLog&) = delete;
    MachineLog& operator=(const MachineLog&) = delete;

    /// What is absent stays as it was; the level is Info when none was ever given. Throws Error when
    /// the file can't be opened, and then nothing has changed.
    void configure(const LoggerConfig& change);

  private:
    UniqueFd file_;
    bool show_level_ = false;
    bool show_origin_ = false;
};

} // namespace coldstart
