#include "virtio/backend/stream_net.h"

#include "virtio/core/descriptor_chain.h"
#include "vmm/base/bytes.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace coldstart {
namespace {

constexpr std::size_t length_bytes = 4;
constexpr std::size_t input_bytes = 4 * NetBackend::max_frame_bytes;
constexpr std::size_t max_parts = 512;

} // namespace

StreamNetBackend::StreamNetBackend(UniqueFd socket, Reactor& reactor)
    : socket_(std::move(socket)), input_(input_bytes),
      rest_(length_bytes + NetBackend::max_frame_bytes), parts_(max_parts), watch_(reactor) {}

void StreamNetBackend::lose_link() noexcept {
    link_up_ = false;
    in_begin_ = in_end_ = rest_begin_ = rest_end_ = 0;
    want_frames(false);
}

std::size_t StreamNetBackend::receive(std::span<std::byte> frame) noexcept {
    std::size_t size = 0;
    do {
        if (take_frame(frame, size))
            return size;
    } while (link_up_ && fill());
    return 0;
}

/// Takes the first frame out of input_, if all of it is there.
bool StreamNetBackend::take_frame(std::span<std::byte> frame, std::size_t& size) noexcept {
    const std::size_t there = in_end_ - in_begin_;
    if (there < length_bytes)
        return false;
    const std::size_t length = ntohl(load_le<std::uint32_t>(input_, in_begin_));
    if (length == 0 || length > frame.size() - header_bytes) {
        lose_link(); // whoever that is, it does not speak of frames
        return false;
    }
    if (there - length_bytes < length)
        return false;
    std::memset(frame.data(), 0, header_bytes);
    std::memcpy(frame.data() + header_bytes, input_.data() + in_begin_ + length_bytes, length);
    in_begin_ += length_bytes + length;
    size = header_bytes + length;
    return true;
}

/// Reads more; false when nothing is there to read.
bool StreamNetBackend::fill() noexcept {
    // What is left is less than a frame: there is always room behind it.
    std::memmove(input_.data(), input_.data() + in_begin_, in_end_ - in_begin_);
    in_end_ -= std::exchange(in_begin_, 0);
    const ssize_t got =
        ::recv(socket_.get(), input_.data() + in_end_, input_.size() - in_end_, MSG_DONTWAIT);
    if (got > 0) {
        in_end_ += static_cast<std::size_t>(got);
        return true;
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR))
        lose_link();
    return false;
}

ssize_t StreamNetBackend::send_some(std::span<iovec> parts) noexcept {
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    for (;;) {
        const ssize_t sent = ::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0)
            return sent;
        if (errno == EAGAIN)
            return 0;
        if (errno != EINTR) {
            lose_link();
            return -1;
        }
    }
}

/// False while a part of the last frame waits still.
bool StreamNetBackend::send_rest() noexcept {
    while (rest_begin_ != rest_end_) {
        iovec part{rest_.data() + rest_begin_, rest_end_ - rest_begin_};
        const ssize_t sent = send_some({&part, 1});
        if (sent < 0)
            return true; // the link is gone, and the rest with it
        if (sent == 0)
            return false;
        rest_begin_ += static_cast<std::size_t>(sent);
    }
    return true;
}

void StreamNetBackend::flush() noexcept {
    if (link_up_ && !send_rest())
        watch_.set(POLLOUT, true);
}

bool StreamNetBackend::peer_has_read() const noexcept {
    int unread_bytes = 0;
    if (!link_up_ || ::ioctl(socket_.get(), SIOCOUTQ, &unread_bytes) != 0)
        return true;
    return unread_bytes == 0 && rest_begin_ == rest_end_;
}

NetBackend::Sent StreamNetBackend::send(std::span<iovec> frame) noexcept {
    if (!link_up_)
        return Sent::taken;
    flush();
    if (rest_begin_ != rest_end_)
        return Sent::full;
    const std::span<iovec> body = drop_front(frame, header_bytes);
    std::size_t length = 0;
    for (const iovec& part : body)
        length += part.iov_len;
    if (!link_up_ || length == 0 || length > max_frame_bytes || body.size() >= parts_.size())
        return Sent::taken;
    std::uint32_t prefix = htonl(static_cast<std::uint32_t>(length));
    parts_[0] = {&prefix, sizeof prefix};
    std::copy(body.begin(), body.end(), parts_.begin() + 1);
    const std::span<iovec> parts = std::span(parts_).first(body.size() + 1);
    const ssize_t sent = send_some(parts);
    if (sent == 0) {
        watch_.set(POLLOUT, true);
        return Sent::full;
    }
    const std::size_t total = length_bytes + length;
    if (sent > 0 && static_cast<std::size_t>(sent) < total) {
        rest_begin_ = 0;
        rest_end_ =
            copy_from_segments(parts, static_cast<std::size_t>(sent),
                               std::span(rest_).first(total - static_cast<std::size_t>(sent)));
        watch_.set(POLLOUT, true);
    }
    return Sent::taken;
}

} // namespace coldstart
