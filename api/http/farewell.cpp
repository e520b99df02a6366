#include "api/http/farewell.h"

#include <boost/asio/write.hpp>
#include <utility>

namespace coldstart {
namespace {

/// A client that sends more than this after it was told that it is not heard learns it the hard way.
constexpr std::size_t max_drained_bytes = 16u << 20;

} // namespace

Farewell::Farewell(Socket socket, std::string text, std::function<void(Farewell&)> on_end)
    : socket_(std::move(socket)), deadline_(socket_.get_executor()), text_(std::move(text)),
      on_end_(std::move(on_end)) {}

void Farewell::start(std::chrono::milliseconds timeout) {
    deadline_.expires_after(timeout);
    deadline_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
        if (!error)
            self->close();
    });
    boost::asio::async_write(
        socket_, boost::asio::buffer(text_),
        [self = shared_from_this()](const boost::system::error_code& error, std::size_t) {
            self->told_ = true;
            if (error || self->hurried_)
                self->close();
            else
                self->shut_and_drain();
        });
}

void Farewell::shut_and_drain() {
    boost::system::error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
    drain();
}

void Farewell::drain() {
    socket_.async_read_some(
        boost::asio::buffer(discarded_),
        [self = shared_from_this()](const boost::system::error_code& error, std::size_t bytes) {
            self->drained_bytes_ += bytes;
            if (error || self->drained_bytes_ > max_drained_bytes)
                self->close();
            else
                self->drain();
        });
}

void Farewell::wind_up() {
    hurried_ = true;
    if (told_)
        close();
}

void Farewell::close() {
    boost::system::error_code ignored;
    socket_.close(ignored);
    deadline_.cancel();
    if (const auto on_end = std::exchange(on_end_, nullptr))
        on_end(*this);
}

} // namespace coldstart
