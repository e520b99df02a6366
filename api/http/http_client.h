// A blocking HTTP/1.1 client over a Unix socket, for `coldstart ctl` and tests: one connection a
// request. Every failure is an Error with a remedy: no socket there, nobody listens, no permission,
// no answer in time, an answer that is not HTTP. A status of 400 and above is an answer, no Error.
// Missing: keep-alive, redirects, authentication.
// Threads: a client belongs to one thread at a time.
#pragma once

#include "api/http/http_message.h"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace coldstart {

/// What the reader of a stream waits for besides the stream, on the same thread.
class StreamCompanion {
  public:
    using TimePoint = std::chrono::steady_clock::time_point;

    virtual ~StreamCompanion() = default;
    /// Watched until it can be read or has hung up; -1: nothing for now.
    virtual int fd() const = 0;
    /// When to be woken at the latest; empty: by the descriptor alone.
    virtual std::optional<TimePoint> wake_at() const = 0;
    /// The descriptor is ready, or the time has come. False ends the stream.
    virtual bool woken(bool readable) = 0;
};

class HttpClient {
  public:
    explicit HttpClient(std::string socket_path,
                        std::chrono::milliseconds timeout = std::chrono::seconds(30));

    /// The whole exchange takes at most the timeout. An empty `body` is none.
    HttpAnswer request(std::string_view method, std::string_view target, std::string_view body = {},
                       std::string_view accept = "application/json") const;

    /// Reads an open-ended answer line by line (without the newline) until `on_line` returns false
    /// or the server ends it. The timeout is for the head of the answer alone; a stream may then be
    /// silent as long as it likes. The result is the answer's head; its body is empty unless the
    /// status is not 200, in which case `on_line` has not been called and the body says why.
    HttpAnswer stream(std::string_view target,
                      const std::function<bool(std::string_view line)>& on_line,
                      StreamCompanion* companion = nullptr) const;

    /// The same without looking for lines: bytes as they come (GET /console).
    HttpAnswer stream_bytes(std::string_view target,
                            const std::function<bool(std::string_view bytes)>& on_bytes,
                            StreamCompanion* companion = nullptr) const;

  private:
    std::string path_;
    std::chrono::milliseconds timeout_;
};

} // namespace coldstart
