#include "api/http/connection.h"

#include "api/http/answer_text.h"
#include "api/http/reply.h"
#include "vmm/base/log.h"
#include "vmm/base/text.h"

#include <boost/asio/write.hpp>
#include <exception>
#include <utility>

namespace coldstart {
namespace {

constexpr std::size_t read_bytes = 16384;

using ErrorCode = boost::system::error_code;

} // namespace

Connection::Connection(Host& host, Socket socket)
    : host_(host), socket_(std::move(socket)), timer_(socket_.get_executor()),
      reader_(host.options()), idle_since_(Clock::now()), chunk_(read_bytes) {}

void Connection::failed(const std::exception& error) {
    log_error(cat("API connection closed: ", error.what()));
    close();
}

void Connection::start() {
    guarded([this] { read(); });
}

void Connection::close() {
    if (std::exchange(state_, State::ended) == State::ended)
        return;
    const auto self = shared_from_this();
    ErrorCode ignored;
    socket_.close(ignored);
    timer_.cancel();
    if (const auto stream = std::exchange(stream_, nullptr)) {
        try {
            stream->detach();
        } catch (const std::exception& error) {
            log_error(cat("API stream: ", error.what()));
        }
    }
    host_.ended(*this);
}

void Connection::wind_up() {
    switch (state_) {
    case State::writing:
        close_after_write_ = true;
        if (!continuing_)
            return;
        break;
    case State::streaming:
        stream_->close();
        return;
    default:
        break;
    }
    close();
}

bool Connection::idle() {
    if (state_ != State::reading || reader_.partial())
        return false;
    ErrorCode ignored;
    return socket_.available(ignored) == 0;
}

/// Goes on with what has been read, until it waits for something.
void Connection::process() {
    switch (reader_.next()) {
    case RequestReader::Step::need_more:
        if (input_ended_)
            return end_of_input();
        return read();
    case RequestReader::Step::send_continue:
        continuing_ = true;
        arm_for_request();
        return write(std::string(continue_text), false);
    case RequestReader::Step::request:
        disarm();
        return dispatch();
    case RequestReader::Step::malformed:
        disarm();
        return write(answer_text(fault_answer(400, reader_.fault()), false), true);
    }
}

void Connection::read() {
    state_ = State::reading;
    if (!reader_.partial())
        idle_since_ = Clock::now();
    else
        arm_for_request();
    socket_.async_read_some(boost::asio::buffer(chunk_),
                            [self = shared_from_this()](const ErrorCode& error, std::size_t bytes) {
                                self->guarded([&] { self->on_read(error, bytes); });
                            });
}

void Connection::on_read(const ErrorCode& error, std::size_t bytes) {
    // The time ran out in the meantime, and this connection is saying so.
    if (state_ != State::reading)
        return;
    if (error && error != boost::asio::error::eof)
        return close();
    input_ended_ = error == boost::asio::error::eof;
    reader_.append({chunk_.data(), bytes});
    process();
}

/// The client shut its side after the last complete request; it may still read.
void Connection::end_of_input() {
    disarm();
    if (!reader_.partial())
        return finish();
    write(answer_text(fault_answer(400, "Invalid request: it ends too early."), false), true);
}

void Connection::dispatch() {
    HttpHandler& handler = host_.handler();
    if (const std::string why = refusal(); !why.empty()) {
        // These two have no answer with a body, or none at all: the connection's framing is gone.
        const std::string& method = reader_.request().method;
        const bool keep = reader_.keep_alive() && method != "HEAD" && method != "CONNECT";
        return write(answer_text(fault_answer(400, why), keep), !keep);
    }
    state_ = State::handling;
    if (reader_.request().method == "GET" && open_stream())
        return;
    const auto reply = std::make_shared<Reply>(weak_from_this(), host_.mailbox());
    try {
        handler.handle(std::move(reader_.request()),
                       [reply](HttpAnswer answer) { reply->give(std::move(answer)); });
    } catch (const std::exception& error) {
        log_error(cat("API request failed: ", printable(error.what(), 300)));
        reply->give(fault_answer(500, error.what()));
    }
    watch_hang_up();
}

/// Why a well-formed request is not for the handler; empty: it is.
std::string Connection::refusal() const {
    const HttpRequest& request = reader_.request();
    const bool get = request.method == "GET";
    const bool writes = request.method == "PUT" || request.method == "PATCH";
    if (!get && !writes && request.method != "DELETE")
        return cat("Invalid HTTP Method: ", printable(request.method),
                   " is none of GET, PUT, PATCH and DELETE.");
    if (request.target.empty())
        return "Invalid URI: it must be an absolute path of printable ASCII characters.";
    if (writes && !request.has_body && !host_.handler().may_omit_body(request))
        return cat("Empty ", request.method, " request.");
    if (!writes && request.has_body)
        return cat(request.method, " request cannot have a body.");
    return {};
}

void Connection::answer(HttpAnswer answer) {
    guarded([&] {
        if (state_ != State::handling)
            return;
        const bool keep = reader_.keep_alive();
        write(answer_text(answer, keep), !keep);
    });
}

void Connection::write(std::string text, bool then_close) {
    state_ = State::writing;
    out_ = std::move(text);
    close_after_write_ = then_close;
    if (!continuing_)
        arm(host_.options().answer_timeout);
    boost::asio::async_write(socket_, boost::asio::buffer(out_),
                             [self = shared_from_this()](const ErrorCode& error, std::size_t) {
                                 self->guarded([&] { self->on_written(error); });
                             });
}

void Connection::on_written(const ErrorCode& error) {
    if (error)
        return close();
    if (!std::exchange(continuing_, false))
        disarm();
    if (close_after_write_)
        return finish();
    process();
}

/// Nothing more will be written.
void Connection::finish() {
    const auto self = shared_from_this();
    host_.linger(std::move(socket_));
    close();
}

void Connection::arm(std::chrono::milliseconds timeout) {
    timer_.expires_after(timeout);
    timer_.async_wait([self = shared_from_this()](const ErrorCode& error) {
        // A wait that was over just before it was cancelled still comes here.
        if (!error && self->timer_.expiry() <= Clock::now())
            self->guarded([&] { self->on_timeout(); });
    });
}

/// A request has so long from its first byte on, however often it is read from.
void Connection::arm_for_request() {
    if (!std::exchange(request_timed_, true))
        arm(host_.options().request_timeout);
}

void Connection::disarm() {
    request_timed_ = false;
    timer_.expires_at(Clock::time_point::max());
}

void Connection::on_timeout() {
    if (state_ != State::reading)
        return close();
    disarm();
    ErrorCode ignored;
    socket_.cancel(ignored);
    const auto limit = host_.options().request_timeout.count();
    write(answer_text(fault_answer(400, cat("The request was not complete within ", limit, " ms.")),
                      false),
          true);
}

} // namespace coldstart
