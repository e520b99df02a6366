#include "virtio/backend/mmds/http.h"

#include "vmm/base/text.h"

#include <algorithm>

namespace coldstart {
namespace {

constexpr std::string_view blanks = " \t";

char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_name(std::string_view a, std::string_view b) noexcept {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) noexcept {
    const std::size_t begin = std::min(text.find_first_not_of(blanks), text.size());
    text.remove_prefix(begin);
    const std::size_t last = text.find_last_not_of(blanks);
    return last == std::string_view::npos ? text.substr(0, 0) : text.substr(0, last + 1);
}

/// Cuts the first line off `rest`; without its end.
std::string_view take_line(std::string_view& rest) noexcept {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (!line.empty() && line.back() == '\r')
        line.remove_suffix(1);
    return line;
}

/// Cuts off `rest` what is before the next `separator`.
std::string_view take_word(std::string_view& rest, char separator) noexcept {
    const std::size_t end = std::min(rest.find(separator), rest.size());
    const std::string_view word = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return word;
}

/// "/a/b" of "/a/b" and of "http://host/a/b".
std::string_view path_of(std::string_view target) noexcept {
    constexpr std::string_view scheme = "http://";
    if (target.starts_with('/'))
        return target;
    if (!same_name(target.substr(0, scheme.size()), scheme))
        return {};
    target.remove_prefix(scheme.size());
    const std::size_t slash = target.find('/');
    return slash == std::string_view::npos ? std::string_view() : target.substr(slash);
}

HttpRequest::Fault parse_request_line(std::string_view line, HttpRequest& request) noexcept {
    request.method = take_word(line, ' ');
    const std::string_view target = take_word(line, ' ');
    const std::string_view version = line;
    const bool is_method =
        !request.method.empty() && std::all_of(request.method.begin(), request.method.end(),
                                               [](char c) { return c > ' ' && c < '\x7f'; });
    if (!is_method || target.empty() || !version.starts_with("HTTP/"))
        return HttpRequest::Fault::request_line;
    request.is_1_0 = version == "HTTP/1.0";
    request.keep_alive = !request.is_1_0;
    request.path = path_of(target);
    return request.is_1_0 || version == "HTTP/1.1" ? HttpRequest::Fault::none
                                                   : HttpRequest::Fault::version;
}

void take_connection(std::string_view value, HttpRequest& request) noexcept {
    while (!value.empty()) {
        const std::string_view option = trimmed(take_word(value, ','));
        if (same_name(option, "close"))
            request.keep_alive = false;
        else if (same_name(option, "keep-alive") && request.is_1_0)
            request.keep_alive = true;
    }
}

/// Of several headers of one kind the first counts.
void set_once(std::string_view& field, std::string_view value) noexcept {
    if (field.data() == nullptr)
        field = value;
}

HttpRequest::Fault take_header(std::string_view name, std::string_view value,
                               HttpRequest& request) noexcept {
    if (same_name(name, "content-length"))
        return parse_decimal(value) == 0 ? HttpRequest::Fault::none : HttpRequest::Fault::body;
    if (same_name(name, "transfer-encoding"))
        return HttpRequest::Fault::body;
    if (same_name(name, "connection"))
        take_connection(value, request);
    else if (same_name(name, "accept"))
        set_once(request.accept, value);
    else if (same_name(name, "x-metadata-token") || same_name(name, "x-aws-ec2-metadata-token"))
        set_once(request.token, value);
    else if (same_name(name, "x-forwarded-for"))
        set_once(request.forwarded_for_name, name);
    else if ((same_name(name, "x-metadata-token-ttl-seconds") ||
              same_name(name, "x-aws-ec2-metadata-token-ttl-seconds")) &&
             request.ttl_name.data() == nullptr) {
        request.ttl_name = name;
        request.ttl_value = value;
    }
    return HttpRequest::Fault::none;
}

std::string_view reason_of(unsigned status) noexcept {
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 501:
        return "Not Implemented";
    default:
        return "Internal Server Error";
    }
}

} // namespace

std::size_t http_head_bytes(std::string_view bytes) noexcept {
    for (std::size_t at = bytes.find('\n'); at != std::string_view::npos;
         at = bytes.find('\n', at + 1)) {
        const std::string_view next = bytes.substr(at + 1);
        if (next.starts_with('\n'))
            return at + 2;
        if (next.starts_with("\r\n"))
            return at + 3;
    }
    return 0;
}

HttpRequest parse_http_head(std::string_view head) noexcept {
    HttpRequest request;
    request.fault = parse_request_line(take_line(head), request);
    while (request.fault == HttpRequest::Fault::none && !head.empty()) {
        std::string_view line = take_line(head);
        if (line.empty())
            break;
        const std::size_t colon = line.find(':');
        const std::string_view name = trimmed(line.substr(0, colon));
        if (colon == std::string_view::npos || name.empty())
            request.fault = HttpRequest::Fault::header;
        else
            request.fault = take_header(name, trimmed(line.substr(colon + 1)), request);
    }
    if (request.fault != HttpRequest::Fault::none)
        request.keep_alive = false; // who knows where the next request begins
    return request;
}

bool accepts_json(std::string_view accept) noexcept {
    while (!accept.empty()) {
        std::string_view item = take_word(accept, ',');
        const std::string_view type = trimmed(take_word(item, ';'));
        if (same_name(type, "application/json"))
            return true;
        if (same_name(type, "text/plain"))
            return false;
    }
    return false;
}

std::string write_http(const HttpAnswer& answer, bool is_1_0, bool keep_alive, bool with_body) {
    std::string bytes = cat(
        is_1_0 ? "HTTP/1.0 " : "HTTP/1.1 ", answer.status, " ", reason_of(answer.status),
        "\r\nServer: Firecracker API\r\nConnection: ", keep_alive ? "keep-alive" : "close", "\r\n",
        answer.more_headers, "Content-Type: ", answer.is_json ? "application/json" : "text/plain",
        "\r\nContent-Length: ", answer.body.size(), "\r\n\r\n");
    if (with_body)
        bytes += answer.body;
    return bytes;
}

} // namespace coldstart
