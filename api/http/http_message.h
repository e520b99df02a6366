// What goes in and out of the HTTP server, without any HTTP library and without JSON beyond the one
// body the server makes itself, {"fault_message":"..."}.
// Missing: header fields of requests other than Accept (nothing on this API depends on them).
// Threads: plain values.
#pragma once

#include <string>
#include <string_view>

namespace coldstart {

struct HttpRequest {
    std::string method; ///< GET, PUT, PATCH or DELETE
    std::string target; ///< begins with '/', printable ASCII; a query is still on it
    std::string body;
    bool has_body = false; ///< Content-Length was above 0
    std::string accept;    ///< the Accept field as it came; empty: none
};

struct HttpAnswer {
    unsigned status = 204;
    std::string content_type = "application/json"; ///< told only when there is a body
    std::string body = {};                         ///< a 204 has none, whatever stands here
    bool deprecated = false;                       ///< adds "Deprecation: true"
};

/// {"fault_message":"<text>"}, valid JSON whatever bytes `text` has.
std::string fault_body(std::string_view text);

/// An error as Firecracker's clients expect it.
HttpAnswer fault_answer(unsigned status, std::string_view text);

} // namespace coldstart
