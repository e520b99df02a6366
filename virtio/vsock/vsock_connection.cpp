#include "virtio/vsock/vsock_connection.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace coldstart {

using namespace virtio_vsock;

namespace {

constexpr std::string_view blanks = " \t\r";

/// The first word of `line`, which loses it.
std::string_view take_word(std::string_view& line) noexcept {
    line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
    const std::string_view word = line.substr(0, line.find_first_of(blanks));
    line.remove_prefix(word.size());
    return word;
}

bool is_connect(std::string_view word) noexcept {
    constexpr std::string_view connect = "CONNECT";
    return std::equal(
        word.begin(), word.end(), connect.begin(), connect.end(),
        [](char given, char wanted) { return given == wanted || given == wanted - 'A' + 'a'; });
}

} // namespace

bool parse_vsock_command(std::string_view line, std::uint32_t& port) noexcept {
    if (!is_connect(take_word(line)))
        return false;
    const std::string_view digits = take_word(line);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    return error == std::errc() && end == digits.data() + digits.size() && take_word(line).empty();
}

VsockConnection::VsockConnection(UniqueFd socket, Stage stage)
    : socket_(std::move(socket)), stage_(stage) {}

void VsockConnection::note_events(std::uint32_t events) noexcept {
    // A hang-up is heard of by reading, behind what was sent before it.
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
        readable_ = true;
    if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0)
        writable_ = true;
    if ((events & EPOLLHUP) != 0) {
        host_gone_ = true;
        plan_shutdown();
    }
}

VsockConnection::Command VsockConnection::read_command(std::uint32_t& guest_port) noexcept {
    while (command_bytes_ < command_.size()) {
        char* const at = command_.data() + command_bytes_;
        // Looked at before it is taken: what follows the line is the guest's.
        const ssize_t there =
            ::recv(fd(), at, command_.size() - command_bytes_, MSG_PEEK | MSG_DONTWAIT);
        if (there < 0 && errno == EINTR)
            continue;
        if (there < 0 && errno == EAGAIN) {
            readable_ = false;
            return Command::incomplete;
        }
        if (there <= 0)
            return Command::malformed;
        const auto* const line_end =
            static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(there)));
        const std::size_t size = line_end != nullptr ? static_cast<std::size_t>(line_end - at) + 1
                                                     : static_cast<std::size_t>(there);
        if (::recv(fd(), at, size, MSG_DONTWAIT) != static_cast<ssize_t>(size))
            return Command::malformed;
        command_bytes_ += size;
        if (line_end != nullptr)
            return parse_vsock_command({command_.data(), command_bytes_ - 1}, guest_port)
                       ? Command::complete
                       : Command::malformed;
    }
    return Command::malformed;
}

bool VsockConnection::flush() noexcept {
    bool took_some = false;
    while (writable_ && !buffer_.empty()) {
        std::array<iovec, 2> pieces = buffer_.pieces();
        const std::size_t count = send(std::span(pieces).first(pieces[1].iov_len != 0 ? 2 : 1));
        if (host_deaf_)
            break; // and the buffer is empty
        buffer_.drop(count);
        forwarded_ += static_cast<std::uint32_t>(count);
        took_some = took_some || count != 0;
    }
    plan_credit_update();
    finish_writing();
    return took_some;
}

/// What the socket took; a short count ends in writable_ or host_deaf_ being set right.
std::size_t VsockConnection::send(std::span<iovec> pieces) noexcept {
    std::size_t total = 0;
    while (writable_ && !host_deaf_ && !pieces.empty()) {
        msghdr message{};
        message.msg_iov = pieces.data();
        message.msg_iovlen = pieces.size();
        const ssize_t sent = ::sendmsg(fd(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0) {
            total += static_cast<std::size_t>(sent);
            pieces = drop_front(pieces, static_cast<std::size_t>(sent));
        } else if (errno == EAGAIN) {
            writable_ = false;
        } else if (errno != EINTR) {
            host_is_deaf();
        }
    }
    return total;
}

void VsockConnection::host_is_deaf() noexcept {
    host_deaf_ = true;
    forwarded_ += static_cast<std::uint32_t>(buffer_.used());
    buffer_.clear();
    plan_shutdown();
}

void VsockConnection::host_finished() noexcept {
    readable_ = false;
    host_done_ = true;
    // One look more, so that a program that closed its socket is not told of in two steps.
    pollfd state{fd(), 0, 0};
    if (::poll(&state, 1, 0) == 1 && (state.revents & POLLHUP) != 0)
        host_gone_ = true;
    plan_shutdown();
}

/// That the host sends no more is said once all it sent is delivered.
std::uint32_t VsockConnection::shutdown_flags() const noexcept {
    std::uint32_t flags = 0;
    if (host_done_)
        flags |= shutdown_send;
    if (host_deaf_ || (host_done_ && host_gone_))
        flags |= shutdown_receive;
    return flags;
}

void VsockConnection::plan_shutdown() noexcept {
    if ((shutdown_flags() & ~told_shutdown_) != 0)
        pending_ |= shutdown;
}

/// Said when half of the guest's credit is gone, as far as it knows, and there is more in truth.
void VsockConnection::plan_credit_update() noexcept {
    if (told_ != forwarded_ && received_ - told_ > buffer_bytes / 2)
        pending_ |= credit_update;
}

/// Hands the guest's end of stream on, behind its last byte.
void VsockConnection::finish_writing() noexcept {
    if ((guest_shutdown_ & shutdown_send) != 0 && buffer_.empty() && !host_deaf_) {
        ::shutdown(fd(), SHUT_WR);
        host_deaf_ = true; // nothing can come any more that it would have to take
    }
}

void VsockConnection::request(VsockPorts ports) noexcept {
    ports_ = ports;
    stage_ = Stage::requested;
    pending_ = request_packet;
}

void VsockConnection::accept(VsockPorts ports) noexcept {
    ports_ = ports;
    stage_ = Stage::established;
    pending_ = response;
}

bool VsockConnection::establish() noexcept {
    if (stage_ != Stage::requested || (pending_ & request_packet) != 0)
        return false;
    constexpr std::string_view ok = "OK ";
    std::array<char, 16> line{};
    std::memcpy(line.data(), ok.data(), ok.size());
    char* end = std::to_chars(line.data() + ok.size(), line.data() + line.size(), ports_.host).ptr;
    *end++ = '\n';
    iovec piece{line.data(), static_cast<std::size_t>(end - line.data())};
    const std::size_t size = piece.iov_len;
    // Nothing was written to the socket before, so there is room. A program that said all it had
    // to say and left is still heard.
    if (send({&piece, 1}) != size && !host_deaf_)
        return false;
    stage_ = Stage::established;
    return true;
}

void VsockConnection::guest_shuts(std::uint32_t flags) noexcept {
    guest_shutdown_ |= flags & shutdown_both;
    if (guest_shutdown_ == shutdown_both) {
        stage_ = Stage::leaving;
        pending_ = reset;
    }
    if ((flags & shutdown_receive) != 0)
        ::shutdown(fd(), SHUT_RD);
    flush();
}

void VsockConnection::break_off() noexcept {
    stage_ = Stage::broken;
    pending_ = reset;
    buffer_.clear();
    socket_.reset();
}

void VsockConnection::hear_credit(const VsockPacket& packet) noexcept {
    peer_buf_alloc_ = packet.buf_alloc;
    peer_fwd_cnt_ = packet.fwd_cnt;
    if (credit() != 0)
        asked_credit_ = false;
}

std::uint32_t VsockConnection::credit() const noexcept {
    const std::uint32_t in_flight = sent_ - peer_fwd_cnt_;
    return in_flight < peer_buf_alloc_ ? peer_buf_alloc_ - in_flight : 0;
}

bool VsockConnection::take(std::span<iovec> data, std::size_t size) noexcept {
    if (stage_ != Stage::established || (guest_shutdown_ & shutdown_send) != 0 ||
        size > buffer_.room())
        return false;
    received_ += static_cast<std::uint32_t>(size);
    if (host_deaf_) {
        forwarded_ += static_cast<std::uint32_t>(size); // nobody is there to have it
        plan_credit_update();
        return true;
    }
    std::size_t sent = 0;
    while (buffer_.empty() && writable_ && !host_deaf_ && !data.empty()) {
        // One piece at a time: send() changes what it is given, and what is left is wanted whole.
        iovec piece = data.front();
        const std::size_t count = send({&piece, 1});
        sent += count;
        data = drop_front(data, count);
    }
    forwarded_ += static_cast<std::uint32_t>(sent);
    if (host_deaf_)
        forwarded_ += static_cast<std::uint32_t>(size - sent);
    else
        buffer_.append(data, 0);
    plan_credit_update();
    return true;
}

bool VsockConnection::has_data() const noexcept {
    return stage_ == Stage::established && readable_ && !host_done_ &&
           (guest_shutdown_ & shutdown_receive) == 0;
}

bool VsockConnection::wants_guest() noexcept {
    if (has_data()) {
        if (credit() != 0)
            return true;
        if (!asked_credit_) {
            asked_credit_ = true;
            pending_ |= credit_request;
        }
    }
    return pending_ != 0 && stage_ != Stage::lingering;
}

bool VsockConnection::take_pending(Pending what) noexcept {
    const bool was = (pending_ & what) != 0;
    pending_ &= ~static_cast<unsigned>(what);
    return was;
}

bool VsockConnection::next_packet(VsockPacket& packet, std::span<const iovec> room) noexcept {
    packet = {.src_port = ports_.host, .dst_port = ports_.guest, .type = type_stream};
    if (take_pending(reset)) {
        packet.op = op_rst;
    } else if (take_pending(request_packet)) {
        packet.op = op_request;
    } else if (take_pending(response)) {
        packet.op = op_response;
    } else if (has_data() && credit() != 0 && read(packet, room)) {
        packet.op = op_rw;
    } else if (take_pending(shutdown)) {
        packet.op = op_shutdown;
        packet.flags = told_shutdown_ = shutdown_flags();
    } else if (take_pending(credit_request)) {
        packet.op = op_credit_request;
    } else if (take_pending(credit_update)) {
        packet.op = op_credit_update;
    } else {
        return false;
    }
    take_pending(credit_update); // every packet is one
    packet.buf_alloc = buffer_bytes;
    packet.fwd_cnt = told_ = forwarded_;
    return true;
}

bool VsockConnection::read(VsockPacket& packet, std::span<const iovec> room) noexcept {
    // A copy, as it is cut: another stream may be asked for the same room.
    std::array<iovec, 16> pieces{};
    const std::size_t count = std::min(room.size(), pieces.size());
    std::copy_n(room.begin(), count, pieces.begin());
    const std::span<iovec> limited = keep_front(std::span(pieces).first(count),
                                                std::min<std::size_t>(credit(), max_packet_bytes));
    msghdr message{};
    message.msg_iov = limited.data();
    message.msg_iovlen = limited.size();
    ssize_t got = 0;
    do
        got = ::recvmsg(fd(), &message, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        packet.len = static_cast<std::uint32_t>(got);
        sent_ += packet.len;
        return true;
    }
    if (got < 0 && errno == EAGAIN)
        readable_ = false;
    else
        host_finished();
    return false;
}

} // namespace coldstart
