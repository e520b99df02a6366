// --events FILE: each event of a machine as the control socket has it (docs/api.md), a line of JSON
// as soon as it has happened.
// A FIFO whose reader does not keep up loses events rather than hold the machine up. When
// a line can't be written for another reason that is said once, in the log, and no more are tried.
// Threads: construction and destruction on the control thread; lines are written by the host loop.
#pragma once

#include "api/command/answer.h"
#include "vmm/base/unique_fd.h"

#include <memory>
#include <string>

namespace coldstart {

class MachineController;

class EventFile {
  public:
    /// Empties the file, or makes it. Throws Error. `machine` outlives this.
    EventFile(const std::string& path, MachineController& machine);

  private:
    UniqueFd file_;
    std::unique_ptr<Subscription> subscription_; ///< last: it writes to the file
};

} // namespace coldstart
