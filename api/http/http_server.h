// An HTTP/1.0 and 1.1 server (RFC 9110, RFC 9112) on a listening Unix socket, as strict and as
// bounded as Firecracker's API wants it: GET, PUT, PATCH and DELETE; lines of up to 1024 bytes;
// bodies with Content-Length only; keep-alive and pipelining, the requests of one connection handled
// one after the other; Expect: 100-continue. What is wrong is answered 400 with a fault_message, and
// the connection closed where the next request's beginning can't be known.
// Missing: chunked request bodies, trailers, compression, ranges, TLS, upgrades, HEAD.
// Threads: the constructor, start(), stop() and the destructor from one thread, which is not the API
// thread; HttpHandler's functions are called on the API thread.
#pragma once

#include "api/http/http_message.h"
#include "api/http/http_stream.h"
#include "vmm/base/unique_fd.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

namespace coldstart {

struct HttpServerOptions {
    std::size_t max_body_bytes = 51200;
    std::size_t max_line_bytes =
        1024; ///< of the request line and of each header line, without CRLF
    std::size_t max_header_bytes = 65536; ///< request line and header lines together
    std::size_t max_header_fields = 100;
    std::size_t max_connections = 128;
    std::size_t stream_queue_bytes = 1048576; ///< what a slow reader of a stream may lag behind
    /// From a request's first byte to its last; afterwards 400 and a close.
    std::chrono::milliseconds request_timeout{5000};
    /// How long a client may take to read an answer before it is dropped.
    std::chrono::milliseconds answer_timeout{5000};
    /// A connection idle for longer is closed when a new one needs its place.
    std::chrono::milliseconds idle_before_eviction{60000};
    /// How long a connection that was refused may take to read why.
    std::chrono::milliseconds linger_timeout{2000};
};

/// Who answers. Called on the API thread, which serves every client: nothing here may wait.
class HttpHandler {
  public:
    virtual ~HttpHandler() = default;

    /// Answers a request by calling `done` once, now or later, from any thread; also after the
    /// server is gone. A further call is ignored; if every copy of `done` is destroyed uncalled, or
    /// this function throws, the client gets 500.
    virtual void handle(HttpRequest request, std::function<void(HttpAnswer)> done) = 0;

    /// Asked before handle() on each GET: true takes the request as a stream and keeps `stream`.
    virtual bool open_stream(const HttpRequest& request, std::shared_ptr<HttpStream> stream) {
        static_cast<void>(request);
        static_cast<void>(stream);
        return false;
    }

    /// PUT and PATCH without a body are refused ("Empty PUT request.") unless this says otherwise;
    /// PATCH /balloon/hinting/start is one that may come without.
    virtual bool may_omit_body(const HttpRequest& request) const {
        static_cast<void>(request);
        return false;
    }
};

class HttpServer {
  public:
    /// `listening_socket`: see unix_socket.h. Throws Error if it can't be watched.
    HttpServer(HttpServerOptions options, UniqueFd listening_socket, HttpHandler& handler);
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    /// Starts the API thread ("api"), which blocks all signals.
    void start();
    /// Stops listening, ends every connection and joins the thread, within a second. Answers given
    /// before the call still reach clients that read. May be called again; no start() afterwards.
    void stop() noexcept;

  private:
    class Core;
    std::unique_ptr<Core> core_;
};

} // namespace coldstart
