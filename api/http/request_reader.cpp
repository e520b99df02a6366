#include "api/http/request_reader.h"

#include "vmm/base/text.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <limits>
#include <utility>

namespace coldstart {
namespace {

namespace http = boost::beast::http;
using boost::beast::iequals;

/// Origin-form as it is, absolute-form without scheme and host; empty: neither, or not ASCII.
std::string path_of(std::string_view target) {
    const bool plain =
        std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c < '\x7f'; });
    if (!plain || target.empty())
        return {};
    if (target.front() == '/')
        return std::string(target);
    constexpr std::string_view scheme = "http://";
    if (target.size() <= scheme.size() ||
        !iequals(boost::beast::string_view(target.data(), scheme.size()),
                 boost::beast::string_view(scheme.data(), scheme.size())))
        return {};
    const std::size_t slash = target.find('/', scheme.size());
    return slash == std::string_view::npos ? "/" : std::string(target.substr(slash));
}

std::string describe(const boost::beast::error_code& error) {
    if (error == http::error::bad_version)
        return "Invalid HTTP version: only HTTP/1.0 and HTTP/1.1 are supported.";
    if (error == http::error::bad_method)
        return "Invalid HTTP method.";
    if (error == http::error::bad_target)
        return "Invalid URI.";
    if (error == http::error::bad_field)
        return "Invalid header: a field's name is malformed.";
    if (error == http::error::bad_value)
        return "Invalid header: a field's value is malformed.";
    if (error == http::error::bad_content_length)
        return "Invalid header: Content-Length must be one decimal number.";
    if (error == http::error::bad_transfer_encoding || error == http::error::bad_chunk)
        return "Invalid header: Transfer-Encoding is not supported; send Content-Length.";
    return "Invalid request.";
}

bool is_control(char c) {
    const auto code = static_cast<unsigned char>(c);
    return (code < 0x20 && c != '\t' && c != '\r' && c != '\n') || code == 0x7f;
}

} // namespace

RequestReader::RequestReader(const HttpServerOptions& options) : options_(options) {}

RequestReader::Step RequestReader::next() {
    while (phase_ != Phase::body) {
        Step step = scan_line();
        if (step == Step::request)
            step = end_of_line();
        if (step != Step::request)
            return step;
    }
    if (buffer_.size() - body_begin_ < body_bytes_)
        return Step::need_more;
    return finish();
}

RequestReader::Step RequestReader::malformed(std::string why) {
    fault_ = std::move(why);
    return Step::malformed;
}

RequestReader::Step RequestReader::scan_line() {
    for (; scan_ < buffer_.size(); ++scan_) {
        const char c = buffer_[scan_];
        const bool after_cr = scan_ > line_ && buffer_[scan_ - 1] == '\r';
        if (after_cr != (c == '\n'))
            return malformed("Invalid request: lines must end with CR LF.");
        if (c == '\n') {
            ++scan_;
            return Step::request;
        }
        if (is_control(c))
            return malformed("Invalid request: there is a control character in it.");
        if (scan_ - line_ >= options_.max_line_bytes && c != '\r')
            return malformed(
                cat("Invalid request: a line is longer than ", options_.max_line_bytes, " bytes."));
        if (scan_ >= options_.max_header_bytes)
            return malformed(cat("Invalid request: its head is longer than ",
                                 options_.max_header_bytes, " bytes."));
    }
    return Step::need_more;
}

RequestReader::Step RequestReader::end_of_line() {
    const std::string_view line(buffer_.data() + line_, scan_ - 2 - line_);
    const std::size_t begin = std::exchange(line_, scan_);
    if (phase_ == Phase::request_line) {
        if (!line.empty())
            return begin_head();
        if (std::exchange(skipped_empty_line_, true))
            return malformed("Invalid request: the request line is empty.");
        buffer_.erase(begin, 2);
        line_ = scan_ = begin;
        return Step::request;
    }
    if (line.empty())
        return end_head();
    if (line.front() == ' ' || line.front() == '\t')
        return malformed("Invalid header: a field may not go on in the next line.");
    if (++field_count_ > options_.max_header_fields)
        return malformed(
            cat("Invalid request: it has more than ", options_.max_header_fields, " headers."));
    return Step::request;
}

RequestReader::Step RequestReader::begin_head() {
    parser_.emplace();
    parser_->header_limit(std::numeric_limits<std::uint32_t>::max()); // ours holds
    parser_->body_limit(std::numeric_limits<std::uint64_t>::max());
    // Beast holds an unfinished request line for a promise of more; ours ends here.
    boost::beast::error_code error;
    const std::size_t taken = parser_->put(boost::asio::buffer(buffer_.data(), scan_), error);
    if (taken != scan_)
        return malformed(describe(error));
    phase_ = Phase::fields;
    fields_begin_ = scan_;
    field_count_ = 0;
    return Step::request;
}

RequestReader::Step RequestReader::end_head() {
    boost::beast::error_code error;
    parser_->put(boost::asio::buffer(buffer_.data() + fields_begin_, scan_ - fields_begin_), error);
    if (!parser_->is_header_done())
        return malformed(describe(error));
    const auto& head = parser_->get();
    if (!is_utf8(std::string_view(buffer_).substr(fields_begin_, scan_ - fields_begin_)))
        return malformed("The header is not UTF-8.");
    for (const auto& field : head) {
        if (field.name() == http::field::transfer_encoding && !iequals(field.value(), "identity"))
            return malformed(describe(http::error::bad_transfer_encoding));
    }
    http11_ = head.version() == 11;
    keep_alive_ = head.keep_alive();
    request_ = {};
    request_.method = std::string(head.method_string());
    request_.target = path_of({head.target().data(), head.target().size()});
    request_.accept = std::string(head[http::field::accept]);
    if (const Step step = read_content_length(); step != Step::request)
        return step;
    phase_ = Phase::body;
    body_begin_ = scan_;
    const bool waits = http11_ && iequals(head[http::field::expect], "100-continue");
    return waits && body_bytes_ != 0 ? Step::send_continue : Step::request;
}

RequestReader::Step RequestReader::read_content_length() {
    const auto& head = parser_->get();
    body_bytes_ = 0;
    const auto count = head.count(http::field::content_length);
    if (count == 0)
        return Step::request;
    const auto value = head[http::field::content_length];
    const auto number = parse_decimal({value.data(), value.size()});
    if (count > 1 || !number)
        return malformed(describe(http::error::bad_content_length));
    if (*number > options_.max_body_bytes)
        return malformed(cat("Request payload with size ", *number, " is larger than the limit of ",
                             options_.max_body_bytes, " allowed by server."));
    body_bytes_ = static_cast<std::size_t>(*number);
    return Step::request;
}

RequestReader::Step RequestReader::finish() {
    request_.body = buffer_.substr(body_begin_, body_bytes_);
    request_.has_body = body_bytes_ != 0;
    buffer_.erase(0, body_begin_ + body_bytes_);
    phase_ = Phase::request_line;
    line_ = scan_ = 0;
    skipped_empty_line_ = false;
    return Step::request;
}

} // namespace coldstart
