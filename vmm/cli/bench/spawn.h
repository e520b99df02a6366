// A child process in a process group of its own, with pipes instead of a terminal.
// Threads: one.
#pragma once

#include "vmm/base/unique_fd.h"
#include "vmm/cli/bench/words.h"

#include <sys/types.h>

namespace coldstart {

class ChildProcess {
  public:
    /// The descriptor of the child that is our `events()`.
    static constexpr int events_fd = 3;

    /// Throws Error.
    explicit ChildProcess(const Words& command);
    /// Kills what is left of it.
    ~ChildProcess();
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    // Ours do not block.
    int out() const noexcept { return out_.get(); }
    int err() const noexcept { return err_.get(); }
    int events() const noexcept { return events_.get(); }
    /// Readable when the child has ended.
    int ended() const noexcept { return pid_fd_.get(); }

    void signal(int number) const noexcept;
    /// Kills the whole group, waits, and gives waitpid's status; may be called again.
    int end() noexcept;

  private:
    pid_t pid_ = -1;
    int status_ = 0;
    UniqueFd in_, out_, err_, events_, pid_fd_;
};

} // namespace coldstart
