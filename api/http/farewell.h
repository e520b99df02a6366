// The end of a connection that the server closes: the last bytes go out, the write side is shut, and
// what the client still sends is read and thrown away until it closes too. A close with unread bytes
// would reset the connection, and many a client would see that instead of the answer.
// Threads: the API thread.
#pragma once

#include <array>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace coldstart {

class Farewell : public std::enable_shared_from_this<Farewell> {
  public:
    using Socket = boost::asio::local::stream_protocol::socket;

    /// `text` is written first; `on_end` is called once, not from within start().
    Farewell(Socket socket, std::string text, std::function<void(Farewell&)> on_end);

    /// Everything takes at most `timeout`.
    void start(std::chrono::milliseconds timeout);
    /// Ends at once.
    void close();
    /// Ends as soon as the text is out.
    void wind_up();

  private:
    void shut_and_drain();
    void drain();

    Socket socket_;
    boost::asio::steady_timer deadline_;
    std::string text_;
    std::function<void(Farewell&)> on_end_;
    std::array<char, 16384> discarded_;
    std::size_t drained_bytes_ = 0;
    bool told_ = false;    // text_ is out
    bool hurried_ = false; // no draining any more
};

} // namespace coldstart
