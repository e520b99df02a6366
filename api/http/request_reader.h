// Bytes in, requests out: the grammar of RFC 9112 as the API wants it, on top of Beast's parser.
// What Beast lets pass and we do not: obs-fold, several equal Content-Lengths, anything but
// "identity" as Transfer-Encoding, and lines, fields and heads without a limit.
// One empty line before a request is skipped (section 2.2).
// Threads: one at a time.
#pragma once

#include "api/http/http_message.h"
#include "api/http/http_server.h"

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace coldstart {

class RequestReader {
  public:
    enum class Step {
        need_more,     ///< append() something first
        send_continue, ///< the client waits for "100 Continue" before it sends the body
        request,       ///< request() is complete
        malformed,     ///< fault() says why; where the next request begins is unknown
    };

    explicit RequestReader(const HttpServerOptions& options);

    void append(std::string_view bytes) { buffer_ += bytes; }
    Step next();

    /// After Step::request, to be moved from. An empty target means it was none we can serve.
    HttpRequest& request() noexcept { return request_; }
    const HttpRequest& request() const noexcept { return request_; }
    const std::string& fault() const noexcept { return fault_; }
    /// Of the last request: the client wants to send another one.
    bool keep_alive() const noexcept { return keep_alive_; }
    /// Of the last request: the client knows HTTP/1.1, chunked answers and 100 among it.
    bool is_http11() const noexcept { return http11_; }
    /// Some of the next request is here already.
    bool partial() const noexcept { return phase_ != Phase::request_line || !buffer_.empty(); }

  private:
    using Parser =
        boost::beast::http::parser<true, boost::beast::http::empty_body, std::allocator<char>>;
    enum class Phase { request_line, fields, body };

    Step malformed(std::string why);
    /// Moves scan_ to the end of the line; need_more if it is not there, request if it is.
    Step scan_line();
    Step end_of_line();
    Step begin_head();
    Step end_head();
    Step read_content_length();
    Step finish();

    HttpServerOptions options_;
    std::string buffer_; ///< begins where the request does
    Phase phase_ = Phase::request_line;
    std::size_t line_ = 0; ///< where the current line begins
    std::size_t scan_ = 0; ///< how far buffer_ has been looked at
    std::size_t fields_begin_ = 0;
    std::size_t field_count_ = 0;
    std::size_t body_begin_ = 0;
    std::size_t body_bytes_ = 0;
    bool skipped_empty_line_ = false;
    bool http11_ = true;
    bool keep_alive_ = true;
    std::optional<Parser> parser_;
    HttpRequest request_;
    std::string fault_;
};

} // namespace coldstart
