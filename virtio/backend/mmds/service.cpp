#include "virtio/backend/mmds/service.h"

#include "vmm/base/text.h"

#include <algorithm>
#include <array>
#include <utility>

namespace coldstart {
namespace {

constexpr std::string_view token_path = "/latest/api/token";

HttpAnswer refusal(unsigned status, std::string text) {
    return {status, false, std::move(text), {}};
}

HttpAnswer not_found(std::string_view path) {
    return refusal(404, cat("Resource not found: ", path, "."));
}

/// Slashes in a row count as one.
std::string without_empty_parts(std::string_view path) {
    std::string clean;
    for (const char c : path) {
        if (c != '/' || !clean.ends_with('/'))
            clean += c;
    }
    return clean;
}

HttpAnswer refuse_request(HttpRequest::Fault fault) {
    switch (fault) {
    case HttpRequest::Fault::version:
        return refusal(501, "Unsupported HTTP version.");
    case HttpRequest::Fault::header:
        return refusal(400, "Invalid header.");
    default:
        return refusal(400, "Invalid request.");
    }
}

HttpAnswer refuse_method(std::string_view method) {
    constexpr std::array<std::string_view, 7> others{"HEAD",    "POST",  "DELETE", "CONNECT",
                                                     "OPTIONS", "TRACE", "PATCH"};
    if (std::find(others.begin(), others.end(), method) == others.end())
        return refusal(501, "Unsupported HTTP method.");
    HttpAnswer answer = refusal(405, "Not allowed HTTP method.");
    answer.more_headers = "Allow: GET, PUT\r\n";
    return answer;
}

} // namespace

MmdsService::Reply MmdsService::answer(std::string_view head, std::uint64_t now_ns) {
    const HttpRequest request = parse_http_head(head);
    const HttpAnswer answer = respond(request, now_ns);
    return {write_http(answer, request.is_1_0, request.keep_alive, request.method != "HEAD"),
            request.keep_alive};
}

MmdsService::Reply MmdsService::answer_too_long() {
    return {
        write_http(refusal(400, "Invalid request: its header is too long."), false, false, true),
        false};
}

HttpAnswer MmdsService::respond(const HttpRequest& request, std::uint64_t now_ns) {
    if (request.fault != HttpRequest::Fault::none)
        return refuse_request(request.fault);
    if (request.path.empty())
        return refusal(400, "Invalid URI.");
    if (request.method == "GET")
        return get(request, now_ns);
    if (request.method == "PUT")
        return put(request, now_ns);
    return refuse_method(request.method);
}

HttpAnswer MmdsService::get(const HttpRequest& request, std::uint64_t now_ns) {
    const bool has_token = request.token.data() != nullptr;
    const bool is_valid = has_token && tokens_.is_valid(request.token, now_ns);
    if (!is_valid)
        ++(has_token ? source_.counters.rx_invalid_token : source_.counters.rx_no_token);
    if (options_.needs_token && !has_token)
        return refusal(401, "No MMDS token provided. Use `X-metadata-token` or "
                            "`X-aws-ec2-metadata-token` header to specify the session token.");
    if (options_.needs_token && !is_valid)
        return refusal(401, "MMDS token not valid.");

    const bool wants_json = !options_.text_only && accepts_json(request.accept);
    MetadataAnswer found = source_.lookup(without_empty_parts(request.path), wants_json);
    switch (found.status) {
    case MetadataStatus::found:
        return {200, found.is_json, std::move(found.body), {}};
    case MetadataStatus::not_supported:
        return refusal(501, "Cannot retrieve value. The value has an unsupported type.");
    case MetadataStatus::not_found:
        break;
    }
    return not_found(request.path);
}

HttpAnswer MmdsService::put(const HttpRequest& request, std::uint64_t now_ns) {
    // What a proxy hands on may come from somebody who should not have a token.
    if (request.forwarded_for_name.data() != nullptr)
        return refusal(400, cat("Invalid header. Reason: Unsupported header name. Key: ",
                                request.forwarded_for_name));
    if (without_empty_parts(request.path) != token_path)
        return not_found(request.path);
    if (request.ttl_name.data() == nullptr)
        return refusal(400, "Token time to live value not found. Use "
                            "`X-metadata-token-ttl-seconds` or "
                            "`X-aws-ec2-metadata-token-ttl-seconds` header to specify the token's "
                            "lifetime.");
    return make_token(request, now_ns);
}

HttpAnswer MmdsService::make_token(const HttpRequest& request, std::uint64_t now_ns) {
    const auto ttl_s = parse_decimal(request.ttl_value);
    if (!ttl_s || *ttl_s > ~std::uint32_t{0})
        return refusal(400, cat("Invalid header. Reason: Invalid value. Key:", request.ttl_name,
                                "; Value:", request.ttl_value));
    if (*ttl_s < MmdsTokens::min_ttl_s || *ttl_s > MmdsTokens::max_ttl_s)
        return refusal(400, cat("Invalid time to live value provided for token: ", *ttl_s,
                                ". Please provide a value between ", MmdsTokens::min_ttl_s, " and ",
                                MmdsTokens::max_ttl_s, "."));
    const auto token = tokens_.make(static_cast<std::uint32_t>(*ttl_s), now_ns);
    if (!token)
        return refusal(500, "The host has no random numbers yet.");
    return {200, false, std::string(token->begin(), token->end()),
            cat(request.ttl_name, ": ", *ttl_s, "\r\n")};
}

} // namespace coldstart
