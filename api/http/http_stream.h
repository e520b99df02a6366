// An answer without an end: bytes go to the client as they come, in chunks (RFC 9112 section 7.1),
// until either side closes. A queue of bounded size stands between the producer and the client; a
// client that lets it overflow gets what is queued, a last line {"fault_message":...} and a close.
// Threads: every function any, and none ever waits for the client; set_content_type and on_closed
// only inside HttpHandler::open_stream.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace coldstart {

class HttpStream {
  public:
    /// `wake` tells the connection that there is something to do; it may be called from any thread.
    HttpStream(std::size_t queue_bytes, std::function<void()> wake);
    HttpStream(const HttpStream&) = delete;
    HttpStream& operator=(const HttpStream&) = delete;

    /// Queues bytes as they are. False: the client is gone or was dropped, nobody reads this.
    bool push(std::string bytes);
    /// Queues a line; the newline is added here.
    bool push_line(std::string_view line);
    /// No more will come: the client gets what is queued and the end.
    void close();
    /// False once the stream has been closed by either side or its client dropped.
    bool is_open() const;

    /// "application/x-ndjson" unless it is set.
    void set_content_type(std::string type) { content_type_ = std::move(type); }
    /// Called once on the API thread when the connection lets go of the stream, whoever ended it.
    void on_closed(std::function<void()> callback) { on_closed_ = std::move(callback); }

    // For the connection, on the API thread.

    /// Everything queued, as one piece; `ended`: nothing will follow it.
    std::string take(bool& ended);
    const std::string& content_type() const noexcept { return content_type_; }
    /// The connection is done: pushes fail from now on, and on_closed's callback runs.
    void detach();

  private:
    const std::size_t queue_bytes_;
    const std::function<void()> wake_;
    std::string content_type_ = "application/x-ndjson";
    std::function<void()> on_closed_;

    mutable std::mutex mutex_; // a leaf; guards what follows
    std::string queue_;
    bool open_ = true;
    bool mid_line_ = false; // the last byte queued was no newline
    bool woken_ = false;    // wake_ was called and take() not yet
};

} // namespace coldstart
