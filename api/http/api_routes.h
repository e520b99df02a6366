// The routes of the control socket: which method and path is which request.
// Source: Firecracker's API document; ours: docs/api.md.
//
// A path's leading slashes count as one, and one at its end does not matter; nothing is decoded.
// Threads: the table is constant.
#pragma once

#include "api/command/request.h"
#include "api/json/request_json.h"

#include <optional>
#include <span>
#include <string_view>

namespace coldstart {

enum class RouteKind {
    get,     ///< answers with `resource`
    body,    ///< `parse` makes the request of the JSON body
    raw,     ///< the body goes to the metadata store as it is: see `method`
    remove,  ///< a DELETE of something that can't be removed
    screen,  ///< a picture or text, as the client accepts
    openapi, ///< the document that describes all of this
    stream,  ///< an answer without end: events, console
};

struct Route {
    std::string_view method;
    std::string_view path; ///< without the leading slash; "{id}" stands for any resource id
    RouteKind kind = RouteKind::get;
    Resource resource = Resource::instance;
    BodyParser parse = nullptr;
    bool body_optional = false; ///< {} then
};

std::span<const Route> api_routes() noexcept;

struct RouteMatch {
    const Route* route = nullptr;
    std::optional<std::string_view> id; ///< what stands for "{id}", not checked
};

/// nullptr in the match when there is no such route.
RouteMatch find_route(std::string_view method, std::string_view target) noexcept;

} // namespace coldstart
