// A file that appears whole or not at all: written beside its name, and renamed. It is not open
// in between: a child process that begins closes its copy, which a network file system tells its
// server, and that would be measured with the child's start.
// Threads: one.
#pragma once

#include "vmm/base/unique_fd.h"

#include <string>
#include <string_view>

namespace coldstart {

class OutputFile {
  public:
    /// Finds out now whether it can be written: after an hour of measuring it is too late. An empty
    /// path is no file. `flag` names it in the Error.
    OutputFile(const std::string& flag, const std::string& path);
    ~OutputFile();
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;

    bool wanted() const noexcept { return !path_.empty(); }
    void write(std::string_view text);

  private:
    UniqueFd open_part() const;

    const std::string flag_, path_, part_;
    bool part_is_there_ = false;
};

} // namespace coldstart
