// INT, TERM and HUP as a descriptor that becomes readable, so that a benchmark can end what it
// began. Threads: one, and none before it.
#pragma once

#include "vmm/base/unique_fd.h"

namespace coldstart {

class StopSignals {
  public:
    StopSignals();

    int fd() const noexcept { return fd_.get(); }
    /// The first of them that came; 0: none yet.
    int number() noexcept;

  private:
    UniqueFd fd_;
    int number_ = 0;
};

} // namespace coldstart
