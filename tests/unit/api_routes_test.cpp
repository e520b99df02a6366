// Which path is which route.
#include "api/http/api_routes.h"

#include <catch2/catch.hpp>
#include <string>

using namespace coldstart;

namespace {

std::string found(std::string_view method, std::string_view target) {
    const RouteMatch match = find_route(method, target);
    if (match.route == nullptr)
        return "none";
    std::string text(match.route->path);
    if (match.id)
        text += " " + std::string(*match.id);
    return text;
}

} // namespace

TEST_CASE("routes: slashes at the ends do not matter", "[routes]") {
    for (const char* const target : {"/", "//", "///"})
        CHECK(found("GET", target).empty());
    for (const char* const target : {"/version", "/version/", "//version", "///version/"})
        CHECK(found("GET", target) == "version");
    CHECK(found("GET", "/vm/config/") == "vm/config");
    CHECK(found("GET", "/vm//config") == "none");
    CHECK(found("GET", "/version//") == "none");
}

TEST_CASE("routes: a path is matched as it is", "[routes]") {
    for (const char* const target :
         {"/nonsense", "/Version", "/VERSION", "/version?x", "/version%20", "/versio", "/versions",
          "/version/foo", "/vm", "/vm/configuration", "/vm/config/x", "/actions", "/drives/a"})
        CHECK(found("GET", target) == "none");
    for (const char* const method : {"get", "POST", "HEAD", "", "PUT "})
        CHECK(found(method, "/version") == "none");
    CHECK(found("PATCH", "/boot-source") == "none");
    CHECK(found("PUT", "/mmds/other") == "none");
    CHECK(found("PUT", "/snapshot") == "none");
    CHECK(found("PUT", "/snapshot/x") == "none");
    CHECK(found("GET", "/balloon/hinting") == "none");
}

TEST_CASE("routes: ids come as they are written", "[routes]") {
    CHECK(found("PUT", "/drives/rootfs") == "drives/{id} rootfs");
    CHECK(found("PUT", "/drives/rootfs/") == "drives/{id} rootfs");
    CHECK(found("PATCH", "/network-interfaces/eth0") == "network-interfaces/{id} eth0");
    CHECK(found("DELETE", "/drives/a-b") == "drives/{id} a-b");
    CHECK(found("PUT", "/drives/a%20b") == "drives/{id} a%20b");
    CHECK(found("PUT", "/drives/a/b") == "none");
}

TEST_CASE("routes: every one finds itself", "[routes]") {
    for (const Route& route : api_routes()) {
        std::string target = "/" + std::string(route.path);
        if (route.path.ends_with("{id}"))
            target.replace(target.size() - 4, 4, "x_1");
        INFO(route.method << " " << target);
        const RouteMatch match = find_route(route.method, target);
        CHECK(match.route == &route);
        CHECK(match.id.has_value() == route.path.ends_with("{id}"));
        CHECK((route.kind == RouteKind::body) == (route.parse != nullptr));
    }
}
