// Answers as they stand on the wire: Firecracker's set of header fields and no other.
#pragma once

#include "api/http/http_message.h"

#include <string>
#include <string_view>

namespace coldstart {

/// Status line, fields and body. `keep_alive`: the connection stays open afterwards.
std::string answer_text(const HttpAnswer& answer, bool keep_alive);

/// The head of an open-ended answer, 200; the connection closes at its end. `chunked` for HTTP/1.1.
std::string stream_head(std::string_view content_type, bool chunked);

/// One chunk; not for empty `bytes`, which would mean the end.
std::string chunk_text(std::string_view bytes);

inline constexpr std::string_view last_chunk = "0\r\n\r\n";
inline constexpr std::string_view continue_text =
    "HTTP/1.1 100 Continue\r\nServer: Firecracker API\r\nConnection: keep-alive\r\n\r\n";

} // namespace coldstart
