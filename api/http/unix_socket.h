// Listening Unix sockets for the API: made here, or passed by whoever started us (systemd's socket
// activation, sd_listen_fds(3), or a descriptor number on the command line).
// Missing: abstract addresses.
// Threads: any; the socket activation one reads and changes the environment, so only before others
// are started.
#pragma once

#include "vmm/base/unique_fd.h"

#include <string>

#include <sys/types.h>

namespace coldstart {

/// Binds and listens on a new socket at `path` that only our own user may connect to (mode 0600,
/// whatever the umask). Error if anything is there already: it says whether somebody listens, or the
/// socket is a left-over to be removed, or it is no socket at all.
UniqueFd listen_unix(const std::string& path);

/// The one socket that systemd passes ($LISTEN_PID, $LISTEN_FDS; descriptor 3), or an empty UniqueFd
/// if nothing is passed to this process. Removes the variables, so that children don't take it for
/// theirs. Error if there are several, or it is not a listening Unix stream socket.
UniqueFd listening_fd_passed();

/// Takes descriptor `fd`; Error if it is not a listening Unix stream socket.
UniqueFd listening_fd_passed(int fd);

/// Connects within `timeout_ms`; Error with a remedy if there is no socket or nobody listens.
UniqueFd connect_unix(const std::string& path, int timeout_ms);

/// Removes a socket's path at the end, if it still is the same file.
class SocketPath {
  public:
    SocketPath() noexcept = default;
    /// `path` exists: listen_unix has just made it.
    explicit SocketPath(std::string path);
    SocketPath(SocketPath&& other) noexcept;
    SocketPath& operator=(SocketPath&& other) noexcept;
    SocketPath(const SocketPath&) = delete;
    SocketPath& operator=(const SocketPath&) = delete;
    ~SocketPath() { remove(); }

    const std::string& path() const noexcept { return path_; }
    void remove() noexcept;
    /// Leaves the path where it is.
    void keep() noexcept { path_.clear(); }

  private:
    std::string path_; // empty: nothing to remove
    dev_t device_ = 0;
    ino_t inode_ = 0;
};

} // namespace coldstart
