#include "vmm/base/error.h"
#include "vmm/base/log.h"
#include "vmm/runtime/streams/streams.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace coldstart {
namespace {

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path)
        throw Error(path + ": not a path for a Unix socket", "use one of 1 to 107 bytes");
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

UniqueFd new_socket(const std::string& path) {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd)
        throw system_error(path, errno);
    return fd;
}

bool bind_to(int fd, const sockaddr_un& address) noexcept {
    return ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

/// Removes a socket nobody listens on; throws Error when it is anything else.
void remove_stale(const std::string& path, const sockaddr_un& address) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) == 0 && !S_ISSOCK(status.st_mode))
        throw Error(path + ": exists and is no socket", "remove it or choose another path");
    const UniqueFd probe = new_socket(path);
    if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
        errno != ECONNREFUSED)
        throw Error(path + ": another process listens there", "stop it or choose another path");
    ::unlink(path.c_str());
}

/// A listening socket's name in the file system, removed at the end if it is still ours.
class SocketName {
  public:
    SocketName(std::string path, int fd) : path_(std::move(path)) {
        const sockaddr_un address = address_of(path_);
        // Of the descriptor before bind: so the name never exists with a wider mode.
        ::fchmod(fd, 0600);
        if (!bind_to(fd, address)) {
            if (errno != EADDRINUSE)
                throw system_error(path_, errno, "check the folder and its permissions");
            remove_stale(path_, address);
            if (!bind_to(fd, address))
                throw system_error(path_, errno);
        }
        struct stat status {};
        if (::lstat(path_.c_str(), &status) == 0) {
            device_ = status.st_dev;
            inode_ = status.st_ino;
        }
    }
    ~SocketName() {
        struct stat status {};
        if (::lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ &&
            status.st_ino == inode_)
            ::unlink(path_.c_str());
    }
    SocketName(const SocketName&) = delete;
    SocketName& operator=(const SocketName&) = delete;

  private:
    const std::string path_;
    dev_t device_ = 0;
    ino_t inode_ = 0;
};

class SocketStream final : public ChannelStream {
  public:
    SocketStream(Reactor& reactor, const std::string& path)
        : ChannelStream(reactor, path), listener_(new_socket(path)),
          name_in_folder_(path, listener_.get()) {
        if (::listen(listener_.get(), 1) != 0)
            throw system_error(path, errno);
        listener_watch_ =
            this->reactor().watch(listener_.get(), POLLIN, [this](std::uint32_t) { on_client(); });
    }

  private:
    void on_client() noexcept {
        UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!client)
            return;
        try {
            // Input and output are watched apart, which takes two descriptors.
            UniqueFd second(::fcntl(client.get(), F_DUPFD_CLOEXEC, 0));
            if (!second)
                throw system_error(name(), errno);
            attach(HostFd::own(std::move(client)), HostFd::own(std::move(second)));
            listener_watch_->set_events(0);
        } catch (const std::exception& error) {
            log_warn(error.what());
        }
    }

    void on_input_end() noexcept override {
        detach();
        listener_watch_->set_events(POLLIN);
    }

    UniqueFd listener_;
    SocketName name_in_folder_;
    std::unique_ptr<Watch> listener_watch_;
};

} // namespace

std::unique_ptr<ByteStream> open_socket_stream(Reactor& reactor, const std::string& path) {
    return std::make_unique<SocketStream>(reactor, path);
}

} // namespace coldstart
