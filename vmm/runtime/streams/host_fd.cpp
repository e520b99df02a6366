#include "vmm/runtime/streams/host_fd.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

namespace coldstart {
namespace {

Transfer result_of(ssize_t count) noexcept {
    using Status = Transfer::Status;
    if (count >= 0)
        return {Status::ok, static_cast<std::size_t>(count), 0};
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return {Status::would_block, 0, 0};
    // A terminal that is gone reads as EIO.
    if (errno == EPIPE || errno == ECONNRESET || errno == EIO)
        return {Status::ended, 0, errno};
    return {Status::failed, 0, errno};
}

bool ready(int fd, short events) noexcept {
    pollfd request{fd, events, 0};
    return ::poll(&request, 1, 0) > 0;
}

} // namespace

HostFd HostFd::borrow(int fd, Direction direction) {
    HostFd host;
    host.fd_ = fd;
    if (::fcntl(fd, F_GETFD) < 0)
        throw system_error(cat("file descriptor ", fd), errno);
    host.classify();
    if (host.kind_ != Kind::stream)
        return host;
    const int mode = direction == Direction::input ? O_RDONLY : O_WRONLY;
    UniqueFd again(
        ::open(cat("/proc/self/fd/", fd).c_str(), mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (again) {
        host.owned_ = std::move(again);
        host.fd_ = host.owned_.get();
    } else {
        // poll promises PIPE_BUF bytes of room in a pipe, and a terminal no more than one.
        host.chunk_bytes_ = ::isatty(fd) != 0 ? 1 : PIPE_BUF;
    }
    return host;
}

HostFd HostFd::own(UniqueFd fd) {
    HostFd host;
    host.owned_ = std::move(fd);
    host.fd_ = host.owned_.get();
    host.classify();
    return host;
}

void HostFd::classify() noexcept {
    struct stat status {};
    if (::fstat(fd_, &status) != 0)
        return;
    if (S_ISSOCK(status.st_mode))
        kind_ = Kind::socket;
    else if (S_ISFIFO(status.st_mode) || ::isatty(fd_) != 0)
        kind_ = Kind::stream;
}

Transfer HostFd::read(std::span<std::byte> out) const noexcept {
    if (chunk_bytes_ != 0 && !ready(fd_, POLLIN))
        return {Transfer::Status::would_block, 0, 0};
    const ssize_t count = kind_ == Kind::socket ? ::recv(fd_, out.data(), out.size(), MSG_DONTWAIT)
                                                : ::read(fd_, out.data(), out.size());
    if (count == 0 && !out.empty())
        return {Transfer::Status::ended, 0, 0};
    return result_of(count);
}

Transfer HostFd::write(ByteView bytes) const noexcept {
    if (chunk_bytes_ != 0) {
        if (!ready(fd_, POLLOUT))
            return {Transfer::Status::would_block, 0, 0};
        bytes = bytes.first(std::min(bytes.size(), chunk_bytes_));
    }
    return result_of(kind_ == Kind::socket
                         ? ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                         : ::write(fd_, bytes.data(), bytes.size()));
}

} // namespace coldstart
