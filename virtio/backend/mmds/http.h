// The little of HTTP that the metadata service speaks: the head of a request, and an answer.
// Source: RFC 9110, RFC 9112.
//
// Lines end with CR LF or LF alone. Missing: bodies of requests (they are refused), folded header
// lines, trailers, ranges, conditions, compression.
//
// Threads: plain functions and values.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace coldstart {

struct HttpRequest {
    enum class Fault {
        none,
        request_line, ///< no method, target and version
        version,      ///< neither HTTP/1.0 nor HTTP/1.1
        header,       ///< a line without a name
        body,         ///< a body, or a length that is none
    };
    Fault fault = Fault::none;
    std::string_view method;
    std::string_view path; ///< of the target; empty: it has none
    bool is_1_0 = false;
    bool keep_alive = false; ///< the connection stays after the answer

    // Headers; data() is null where there was none.
    std::string_view accept;
    std::string_view token;
    std::string_view ttl_name, ttl_value;
    std::string_view forwarded_for_name;
};

/// The length of the head at the start of `bytes`, its empty line included; 0: not all there yet.
std::size_t http_head_bytes(std::string_view bytes) noexcept;

/// What the views of the request show lies in `head`.
HttpRequest parse_http_head(std::string_view head) noexcept;

/// Whether the media types of an Accept header have application/json before text/plain.
bool accepts_json(std::string_view accept) noexcept;

struct HttpAnswer {
    unsigned status = 200;
    bool is_json = false;
    std::string body;
    std::string more_headers; ///< lines, each with its end
};

/// The whole answer as bytes. `with_body`: false for an answer to HEAD.
std::string write_http(const HttpAnswer& answer, bool is_1_0, bool keep_alive, bool with_body);

} // namespace coldstart
