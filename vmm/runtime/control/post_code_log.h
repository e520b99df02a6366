// --post-codes FILE: a line for every POST code, "SECONDS 0xNN", in seconds since the process
// began its work.
// Threads: post_code from any vCPU thread.
#pragma once

#include "devices/post_port/post_port.h"
#include "vmm/base/unique_fd.h"

#include <string>

namespace coldstart {

class PostCodeLog final : public PostCodeSink {
  public:
    /// Empties the file, or makes it; an empty path records nothing. Throws Error.
    explicit PostCodeLog(const std::string& path);

    void post_code(std::uint8_t code, std::uint64_t time_ns) noexcept override;

  private:
    UniqueFd file_;
    const std::uint64_t start_ns_;
};

} // namespace coldstart
