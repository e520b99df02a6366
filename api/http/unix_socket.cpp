#include "api/http/unix_socket.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace coldstart {
namespace {

constexpr int backlog = 128;
constexpr int first_passed_fd = 3; // SD_LISTEN_FDS_START

std::string named(const std::string& path) {
    return cat("API socket ", printable(path, 200));
}

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.find('\0') != std::string::npos)
        throw UsageError("the API socket's path is empty or has a NUL in it", "name a file");
    if (path.size() >= sizeof(address.sun_path))
        throw UsageError(cat(named(path), ": the path is longer than the ",
                             sizeof(address.sun_path) - 1, " bytes a socket may have"),
                         "use a shorter one, such as one in /run or a relative one");
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

UniqueFd unix_stream_socket() {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd)
        throw system_error("API socket", errno, "raise the limit of descriptors (ulimit -n)");
    return fd;
}

const sockaddr* generic(const sockaddr_un& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

/// What stands at the path that bind() found taken.
Error path_taken(const std::string& path, const sockaddr_un& address) {
    struct stat found {};
    if (::lstat(path.c_str(), &found) == 0 && !S_ISSOCK(found.st_mode))
        return Error(named(path) + ": a file of this name exists and is no socket",
                     "choose another path");
    const UniqueFd probe = unix_stream_socket();
    if (::connect(probe.get(), generic(address), sizeof(address)) == 0 || errno == EAGAIN)
        return Error(named(path) + " exists and another process listens on it",
                     "stop that process or choose another path");
    if (errno == ECONNREFUSED)
        return Error(named(path) + " exists, left over from a process that has ended",
                     "remove it (rm " + printable(path, 200) + ") and try again");
    return Error(named(path) + " exists", "choose another path");
}

int socket_option(int fd, int option) {
    int value = -1;
    socklen_t size = sizeof(value);
    return ::getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

/// $NAME as a number, if it is one.
std::optional<std::uint64_t> number_in_environment(const char* name) {
    const char* text = std::getenv(name);
    return text == nullptr ? std::nullopt : parse_decimal(text);
}

} // namespace

UniqueFd listen_unix(const std::string& path) {
    const sockaddr_un address = address_of(path);
    UniqueFd fd = unix_stream_socket();
    // The socket file gets this mode less the umask, so it is never open to others; the chmod below
    // gives back what an odd umask took.
    if (::fchmod(fd.get(), S_IRUSR | S_IWUSR) < 0)
        throw system_error(named(path) + ": fchmod", errno);
    if (::bind(fd.get(), generic(address), sizeof(address)) < 0) {
        const int error = errno;
        if (error == EADDRINUSE)
            throw path_taken(path, address);
        throw system_error(named(path), error,
                           error == ENOENT || error == ENOTDIR
                               ? "its folder must exist: create it or choose another path"
                               : "choose a path in a folder you may write to");
    }
    SocketPath remove_on_failure(path);
    if (::chmod(path.c_str(), S_IRUSR | S_IWUSR) < 0)
        throw system_error(named(path) + ": chmod", errno);
    if (::listen(fd.get(), backlog) < 0)
        throw system_error(named(path) + ": listen", errno);
    remove_on_failure.keep();
    return fd;
}

UniqueFd listening_fd_passed() {
    const auto pid = number_in_environment("LISTEN_PID");
    const auto count = number_in_environment("LISTEN_FDS");
    if (!pid || !count || *pid != static_cast<std::uint64_t>(::getpid()) || *count == 0)
        return {};
    for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
        ::unsetenv(name);
    if (*count != 1)
        throw Error(cat("systemd passes ", *count, " sockets for the API"),
                    "name exactly one ListenStream= in the socket unit");
    return listening_fd_passed(first_passed_fd);
}

UniqueFd listening_fd_passed(int fd) {
    const std::string thing = cat("descriptor ", fd, " for the API");
    if (fd < 0 || ::fcntl(fd, F_GETFD) < 0)
        throw Error(thing + " is not open", "pass a listening Unix stream socket");
    if (socket_option(fd, SO_DOMAIN) != AF_UNIX || socket_option(fd, SO_TYPE) != SOCK_STREAM)
        throw Error(thing + " is no Unix stream socket", "pass a listening Unix stream socket");
    if (socket_option(fd, SO_ACCEPTCONN) != 1)
        throw Error(thing + " is a socket that nobody listens on",
                    "pass it after listen(2), as systemd does with Accept=no");
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        throw system_error(thing, errno);
    return UniqueFd(fd);
}

UniqueFd connect_unix(const std::string& path, int timeout_ms) {
    const sockaddr_un address = address_of(path);
    UniqueFd fd = unix_stream_socket();
    timeout_ms = std::max(timeout_ms, 1); // 0 would be no limit
    timeval timeout{};
    timeout.tv_sec = timeout_ms / 1000;
    timeout.tv_usec = (timeout_ms % 1000) * 1000;
    // Of a Unix socket connect() waits for room in the backlog, and takes the send timeout for it.
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    const int flags = ::fcntl(fd.get(), F_GETFL);
    ::fcntl(fd.get(), F_SETFL, flags & ~O_NONBLOCK);
    int result = 0;
    do
        result = ::connect(fd.get(), generic(address), sizeof(address));
    while (result < 0 && errno == EINTR);
    const int error = errno;
    if (result == 0) {
        ::fcntl(fd.get(), F_SETFL, flags);
        return fd;
    }
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        throw Error(named(path) + " does not exist",
                    "start the machine with a control socket, or check the path");
    case ECONNREFUSED:
        throw Error(named(path) + ": nobody listens there, its process has ended",
                    "start the machine again");
    case EACCES:
        throw Error(named(path) + ": permission denied", "connect as the user who started it");
    case EAGAIN:
        throw Error(cat(named(path), ": no connection within ", timeout_ms, " ms"),
                    "its process is busy or stopped; try again");
    default:
        throw system_error(named(path), error, "check the path");
    }
}

SocketPath::SocketPath(std::string path) : path_(std::move(path)) {
    struct stat found {};
    if (::lstat(path_.c_str(), &found) < 0)
        throw system_error(named(path_), errno);
    device_ = found.st_dev;
    inode_ = found.st_ino;
}

SocketPath::SocketPath(SocketPath&& other) noexcept
    : path_(std::exchange(other.path_, {})), device_(other.device_), inode_(other.inode_) {}

SocketPath& SocketPath::operator=(SocketPath&& other) noexcept {
    if (this != &other) {
        remove();
        path_ = std::exchange(other.path_, {});
        device_ = other.device_;
        inode_ = other.inode_;
    }
    return *this;
}

void SocketPath::remove() noexcept {
    struct stat found {};
    if (!path_.empty() && ::lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ &&
        found.st_ino == inode_)
        ::unlink(path_.c_str());
    path_.clear();
}

} // namespace coldstart
