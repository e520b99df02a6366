// Where diagnostics go while a machine runs: stderr, or the file of --log.
#pragma once

#include "vmm/base/log.h"
#include "vmm/base/unique_fd.h"

#include <string>

namespace coldstart {

class LogTarget {
  public:
    /// Throws Error when the file can't be written.
    LogTarget(LogLevel level, const std::string& path);
    /// stderr again.
    ~LogTarget();
    LogTarget(const LogTarget&) = delete;
    LogTarget& operator=(const LogTarget&) = delete;

  private:
    UniqueFd file_;
};

} // namespace coldstart
