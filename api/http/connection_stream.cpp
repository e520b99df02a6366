// The part of a Connection that serves an open-ended answer.
#include "api/http/answer_text.h"
#include "api/http/connection.h"

#include <boost/asio/write.hpp>
#include <utility>

#include <poll.h>

namespace coldstart {

using ErrorCode = boost::system::error_code;

/// True if the handler took the request as a stream.
bool Connection::open_stream() {
    const auto stream = std::make_shared<HttpStream>(
        host_.options().stream_queue_bytes, [weak = weak_from_this(), mailbox = host_.mailbox()] {
            mailbox->post([weak] {
                if (const auto self = weak.lock())
                    self->guarded([&] { self->on_wake(); });
            });
        });
    if (!host_.handler().open_stream(reader_.request(), stream))
        return false;
    state_ = State::streaming;
    stream_ = stream;
    chunked_ = reader_.is_http11();
    pumping_ = true;
    out_ = stream_head(stream_->content_type(), chunked_);
    boost::asio::async_write(socket_, boost::asio::buffer(out_),
                             [self = shared_from_this()](const ErrorCode& error, std::size_t) {
                                 self->guarded([&] { self->on_pumped(error); });
                             });
    watch_hang_up();
    return true;
}

/// Writes what is queued, if there is something.
void Connection::pump() {
    bool ended = false;
    const std::string bytes = stream_->take(ended);
    if (bytes.empty() && !ended)
        return;
    if (ended)
        arm(host_.options().answer_timeout);
    pumped_last_ = ended;
    pumping_ = true;
    out_ = chunked_ && !bytes.empty() ? chunk_text(bytes) : bytes;
    if (chunked_ && ended)
        out_ += last_chunk;
    boost::asio::async_write(socket_, boost::asio::buffer(out_),
                             [self = shared_from_this()](const ErrorCode& error, std::size_t) {
                                 self->guarded([&] { self->on_pumped(error); });
                             });
}

void Connection::on_pumped(const ErrorCode& error) {
    pumping_ = false;
    if (error)
        return close();
    if (pumped_last_)
        return finish();
    pump();
}

void Connection::on_wake() {
    if (state_ != State::streaming)
        return;
    if (!pumping_)
        return pump();
    // The client has stopped reading and the stream is over: it gets this long for the rest.
    if (!stream_->is_open())
        arm(host_.options().answer_timeout);
}

/// A client that went away without a word of ours in flight is noticed here.
void Connection::watch_hang_up() {
    if (std::exchange(watching_, true))
        return;
    socket_.async_wait(Socket::wait_error, [self = shared_from_this()](const ErrorCode& error) {
        self->watching_ = false;
        self->guarded([&] {
            if (error || (self->state_ != State::handling && self->state_ != State::streaming))
                return;
            pollfd state{};
            state.fd = self->socket_.native_handle();
            if (::poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR)) != 0)
                self->close();
        });
    });
}

} // namespace coldstart
