// The Unix socket to which host programs connect that want to reach the guest.
//
// It is bound by the constructor, so a path that can't be had is refused when the device is
// configured, long before the machine is made: the control socket makes a listener for its request
// and hands it in by MachineHost::vsock_listener. Who configures the same path again lets go of the
// first listener before, or keeps it. Clients that come before the guest's driver wait in its
// backlog.
// Threads: any one at a time.
#pragma once

#include "vmm/base/unique_fd.h"

#include <cstdint>
#include <string>

#include <sys/types.h>

namespace coldstart {

class VsockListener {
  public:
    /// Makes the socket, with the permissions that the umask leaves. Throws Error, which names the
    /// path, when it exists or can't be made.
    explicit VsockListener(std::string path);
    VsockListener(const VsockListener&) = delete;
    VsockListener& operator=(const VsockListener&) = delete;
    /// Removes the socket's file, unless another one has taken its place.
    ~VsockListener();

    const std::string& path() const noexcept { return path_; }
    int fd() const noexcept { return socket_.get(); }

    /// A socket on the way to the program that listens at "PATH_<port>"; none when nobody does.
    UniqueFd connect_to(std::uint32_t port) const noexcept;

  private:
    std::string path_;
    UniqueFd socket_;
    dev_t device_ = 0; ///< where the file was made, and which it is
    ino_t inode_ = 0;
};

} // namespace coldstart
