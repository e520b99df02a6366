#include "api/http/api_handler.h"

#include "api/http/openapi.h"
#include "api/json/answer_json.h"
#include "api/json/request_json.h"
#include "vmm/base/error.h"
#include "vmm/base/log.h"
#include "vmm/base/text.h"

#include <utility>

namespace coldstart {
namespace {

constexpr std::size_t logged_body_chars = 400;

HttpAnswer to_http(const Answer& answer, bool deprecated) {
    HttpAnswer http;
    http.deprecated = deprecated;
    if (std::holds_alternative<NoContent>(answer))
        return http;
    http.status = 200;
    if (const auto* const refusal = std::get_if<Refusal>(&answer))
        http.status = refusal->too_large ? 413 : 400;
    if (const auto* const document = std::get_if<Document>(&answer))
        http.content_type = document->content_type;
    http.body = answer_json(answer);
    return http;
}

/// As Firecracker says it: the first segment of the path alone.
std::string no_route(const HttpRequest& request) {
    std::string_view path = request.target;
    while (path.starts_with('/'))
        path.remove_prefix(1);
    return cat("Invalid request method and/or path: ", request.method, " ",
               printable(path.substr(0, path.find('/')), 200), ".");
}

void log_request(const HttpRequest& request) {
    if (!log_enabled(LogLevel::info))
        return;
    log_info(cat("The API server received a ", request.method, " request on \"",
                 printable(request.target, 200), "\"",
                 request.has_body ? cat(" with body ", printable(request.body, logged_body_chars))
                                  : std::string(),
                 "."));
}

Request raw_request(HttpRequest& request) {
    if (request.method == "PUT")
        return PutMmds{std::move(request.body)};
    return PatchMmds{std::move(request.body)};
}

bool wants_text(std::string_view accept) {
    return accept.starts_with("text/plain");
}

} // namespace

void ApiHandler::handle(HttpRequest request, std::function<void(HttpAnswer)> done) {
    log_request(request);
    const RouteMatch match = find_route(request.method, request.target);
    if (match.route == nullptr)
        return done(fault_answer(400, no_route(request)));
    try {
        if (match.id)
            check_resource_id("the path", *match.id);
        ParsedRequest parsed{Get{match.route->resource}};
        switch (match.route->kind) {
        case RouteKind::get:
            break;
        case RouteKind::body:
            try {
                parsed = match.route->parse(parse_json(request.has_body ? request.body : "{}"),
                                            match.id);
            } catch (const Error& error) {
                return done(fault_answer(400, cat("An error occurred when deserializing the json "
                                                  "body of a request: ",
                                                  error.what(), ".")));
            }
            break;
        case RouteKind::raw:
            parsed.request = raw_request(request);
            break;
        case RouteKind::screen:
            parsed.request =
                Get{wants_text(request.accept) ? Resource::screen_text : Resource::screen_png};
            break;
        case RouteKind::openapi:
            return done({200, "application/json", std::string(openapi_document())});
        case RouteKind::remove:
            parsed.request = NotBuilt{"taking devices out of a machine"};
            break;
        case RouteKind::stream:
            return done(fault_answer(400, "console: the machine has no serial console to follow"));
        }
        machine_.handle(std::move(parsed.request),
                        [done = std::move(done), deprecated = parsed.deprecated](
                            const Answer& answer) { done(to_http(answer, deprecated)); });
    } catch (const Error& error) {
        done(fault_answer(400, error.what()));
    }
}

bool ApiHandler::open_stream(const HttpRequest& request, std::shared_ptr<HttpStream> stream) {
    const RouteMatch match = find_route(request.method, request.target);
    if (match.route == nullptr || match.route->kind != RouteKind::stream)
        return false;
    std::shared_ptr<Subscription> subscription;
    if (match.route->path == "events") {
        subscription = machine_.follow_events(
            [stream](std::string_view line) { return stream->push_line(line); });
    } else {
        stream->set_content_type("application/octet-stream");
        subscription = machine_.follow_console(
            [stream](std::string_view bytes) { return stream->push(std::string(bytes)); });
    }
    if (subscription == nullptr)
        return false;
    stream->on_closed([subscription]() mutable { subscription.reset(); });
    return true;
}

bool ApiHandler::may_omit_body(const HttpRequest& request) const {
    const RouteMatch match = find_route(request.method, request.target);
    return match.route != nullptr && match.route->body_optional;
}

} // namespace coldstart
