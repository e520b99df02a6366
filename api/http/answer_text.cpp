#include "api/http/answer_text.h"

#include "vmm/base/text.h"

#include <boost/beast/http/status.hpp>

namespace coldstart {
namespace {

std::string head(unsigned status, bool keep_alive) {
    return cat("HTTP/1.1 ", status, ' ',
               boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(status)),
               "\r\nServer: Firecracker API\r\nConnection: ", keep_alive ? "keep-alive" : "close",
               "\r\n");
}

} // namespace

std::string answer_text(const HttpAnswer& answer, bool keep_alive) {
    std::string text = head(answer.status, keep_alive);
    if (answer.deprecated)
        text += "Deprecation: true\r\n";
    // RFC 9110 section 8.6: a 204 has no Content-Length, and so can't have a body.
    if (answer.status == 204)
        return text + "\r\n";
    if (!answer.body.empty())
        text += "Content-Type: " + answer.content_type + "\r\n";
    text += cat("Content-Length: ", answer.body.size(), "\r\n\r\n");
    return text + answer.body;
}

std::string stream_head(std::string_view content_type, bool chunked) {
    std::string text = head(200, false);
    text += cat("Content-Type: ", content_type, "\r\n");
    if (chunked)
        text += "Transfer-Encoding: chunked\r\n";
    return text + "\r\n";
}

std::string chunk_text(std::string_view bytes) {
    std::string text = hex(bytes.size()).substr(2) + "\r\n";
    text += bytes;
    text += "\r\n";
    return text;
}

} // namespace coldstart
