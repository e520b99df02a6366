#include "virtio/vsock/vsock_listener.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace coldstart {
namespace {

constexpr int backlog = 128;
constexpr std::size_t max_path_bytes = sizeof(sockaddr_un::sun_path) - 1;

UniqueFd make_socket() noexcept {
    return UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

/// Appends to the path in `address`; false when it does not fit.
bool append(sockaddr_un& address, std::string_view text) noexcept {
    const std::size_t there = ::strnlen(address.sun_path, max_path_bytes);
    if (text.size() > max_path_bytes - there)
        return false;
    std::memcpy(address.sun_path + there, text.data(), text.size());
    return true;
}

std::string remedy(int error) {
    switch (error) {
    case EADDRINUSE:
        return "remove what is there if no program uses it any more, or choose another path";
    case ENOENT:
        return "make the folder first";
    case EACCES:
    case EPERM:
    case EROFS:
        return "choose a folder this user may write to";
    default:
        return "";
    }
}

} // namespace

VsockListener::VsockListener(std::string path) : path_(std::move(path)), socket_(make_socket()) {
    const std::string thing = cat("vsock: ", printable(path_, max_path_bytes));
    if (!socket_)
        throw system_error(thing, errno);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path_.empty() || path_.find('\0') != std::string::npos)
        throw Error("vsock: the path of its Unix socket is empty or has a zero byte",
                    "name a file that is not there yet");
    if (!append(address, path_))
        throw Error(cat(thing, ": ", path_.size(), " bytes are too long for a Unix socket"),
                    cat("accepted: up to ", max_path_bytes, " bytes"));
    if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw system_error(thing, errno, remedy(errno));
    struct stat made {};
    if (::lstat(path_.c_str(), &made) == 0) {
        device_ = made.st_dev;
        inode_ = made.st_ino;
    }
    if (::listen(socket_.get(), backlog) != 0) {
        const int error = errno;
        ::unlink(path_.c_str());
        throw system_error(thing, error);
    }
}

VsockListener::~VsockListener() {
    struct stat there {};
    if (::lstat(path_.c_str(), &there) == 0 && there.st_dev == device_ && there.st_ino == inode_)
        ::unlink(path_.c_str());
}

UniqueFd VsockListener::connect_to(std::uint32_t port) const noexcept {
    std::array<char, 11> digits{'_'};
    const auto end = std::to_chars(digits.data() + 1, digits.data() + digits.size(), port).ptr;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string_view suffix(digits.data(), static_cast<std::size_t>(end - digits.data()));
    if (!append(address, path_) || !append(address, suffix))
        return {};
    UniqueFd socket = make_socket();
    // Never in progress: a Unix socket is connected at once, or its listener's backlog is full.
    if (!socket ||
        ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return {};
    return socket;
}

} // namespace coldstart
