// A host descriptor read and written without blocking and without touching what others share: the
// O_NONBLOCK of a terminal or pipe belongs to the open file, and so to the user's shell as well.
// Terminals and pipes are therefore opened anew through /proc; where that can't be done, poll(2)
// decides and the amounts are such that the call returns.
// Threads: reading one at a time, writing one at a time.
#pragma once

#include "vmm/base/bytes.h"
#include "vmm/base/unique_fd.h"

#include <cstddef>
#include <span>

namespace coldstart {

enum class Direction { input, output };

/// How a read or write went.
struct Transfer {
    enum class Status { ok, would_block, ended, failed };
    Status status = Status::ok;
    std::size_t count = 0; ///< bytes moved when ok
    int error_number = 0;  ///< when failed
};

class HostFd {
  public:
    /// A descriptor that stays the caller's, such as stdin. Throws Error when it is not open.
    static HostFd borrow(int fd, Direction direction);
    /// A descriptor of our own, made with O_NONBLOCK where that means something.
    static HostFd own(UniqueFd fd);

    Transfer read(std::span<std::byte> out) const noexcept;
    Transfer write(ByteView bytes) const noexcept;

    int get() const noexcept { return fd_; }
    /// False for regular files and such, which epoll refuses: they are always ready.
    bool pollable() const noexcept { return kind_ == Kind::stream || kind_ == Kind::socket; }

  private:
    enum class Kind { file, stream, socket };

    void classify() noexcept;

    UniqueFd owned_; ///< empty when the descriptor is borrowed
    int fd_ = -1;
    Kind kind_ = Kind::file;
    std::size_t chunk_bytes_ = 0; ///< 0: O_NONBLOCK is set; else what poll's word is good for
};

} // namespace coldstart
