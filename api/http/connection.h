// One client of the HTTP server: reads a request, has it answered, writes the answer, and only then
// looks at the next request, so that pipelined ones are executed and answered in order and a client
// that does not read is not read from.
// Threads: the API thread; what HttpHandler is given reaches it through the Mailbox.
#pragma once

#include "api/http/http_server.h"
#include "api/http/http_stream.h"
#include "api/http/mailbox.h"
#include "api/http/request_reader.h"

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <vector>

namespace coldstart {

class Connection : public std::enable_shared_from_this<Connection> {
  public:
    using Socket = boost::asio::local::stream_protocol::socket;
    using Clock = std::chrono::steady_clock;

    /// What a connection needs of the server.
    class Host {
      public:
        virtual ~Host() = default;
        virtual const HttpServerOptions& options() const = 0;
        virtual HttpHandler& handler() = 0;
        virtual std::shared_ptr<Mailbox> mailbox() = 0;
        /// The connection has ended and may be forgotten.
        virtual void ended(Connection& connection) = 0;
        /// Takes a socket that everything was written to, for a close in peace.
        virtual void linger(Socket socket) = 0;
    };

    Connection(Host& host, Socket socket);

    void start();
    /// The handler's; ignored if the connection no longer waits for one.
    void answer(HttpAnswer answer);
    /// Ends at once.
    void close();
    /// The server stops: ends at once, or when the answer that is being written is out.
    void wind_up();
    /// Between requests, nothing to be read, since `idle_since()`.
    bool idle();
    Clock::time_point idle_since() const noexcept { return idle_since_; }

  private:
    enum class State { reading, handling, writing, streaming, ended };

    /// Every step that a completed operation leads to: no exception may leave the API thread.
    template <typename Step>
    void guarded(Step&& step) {
        if (state_ == State::ended)
            return;
        try {
            step();
        } catch (const std::exception& error) {
            failed(error);
        }
    }
    void failed(const std::exception& error);

    void process();
    void read();
    void on_read(const boost::system::error_code& error, std::size_t bytes);
    void end_of_input();
    void dispatch();
    std::string refusal() const;
    void write(std::string text, bool then_close);
    void on_written(const boost::system::error_code& error);
    void finish();

    bool open_stream();
    void pump();
    void on_pumped(const boost::system::error_code& error);
    void on_wake();
    void watch_hang_up();

    void arm(std::chrono::milliseconds timeout);
    void arm_for_request();
    void disarm();
    void on_timeout();

    Host& host_;
    Socket socket_;
    boost::asio::steady_timer timer_;
    RequestReader reader_;
    State state_ = State::reading;
    Clock::time_point idle_since_;
    std::vector<char> chunk_;
    std::string out_;
    bool input_ended_ = false;
    bool request_timed_ = false; // the timer runs for the request that is being read
    bool close_after_write_ = false;
    bool continuing_ = false; // out_ is "100 Continue", the request is not complete
    bool watching_ = false;   // for a hang-up
    std::shared_ptr<HttpStream> stream_;
    bool chunked_ = true;
    bool pumping_ = false;
    bool pumped_last_ = false;
};

} // namespace coldstart
