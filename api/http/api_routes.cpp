#include "api/http/api_routes.h"

namespace coldstart {
namespace {

constexpr Route get(std::string_view path, Resource resource) {
    return {"GET", path, RouteKind::get, resource};
}
constexpr Route put(std::string_view path, BodyParser parse) {
    return {"PUT", path, RouteKind::body, {}, parse};
}
constexpr Route patch(std::string_view path, BodyParser parse, bool body_optional = false) {
    return {"PATCH", path, RouteKind::body, {}, parse, body_optional};
}

constexpr Route routes[] = {
    get("", Resource::instance),
    get("version", Resource::version),
    get("vm/config", Resource::vm_config),
    patch("vm", body::patch_vm),
    put("actions", body::put_action),
    get("machine-config", Resource::machine_config),
    put("machine-config", body::put_machine_config),
    patch("machine-config", body::patch_machine_config),
    put("boot-source", body::put_boot_source),
    put("cpu-config", body::put_cpu_config),
    put("drives/{id}", body::put_drive),
    patch("drives/{id}", body::patch_drive),
    {"DELETE", "drives/{id}", RouteKind::remove},
    put("network-interfaces/{id}", body::put_network_interface),
    patch("network-interfaces/{id}", body::patch_network_interface),
    {"DELETE", "network-interfaces/{id}", RouteKind::remove},
    put("vsock", body::put_vsock),
    get("balloon", Resource::balloon),
    put("balloon", body::put_balloon),
    patch("balloon", body::patch_balloon),
    get("balloon/statistics", Resource::balloon_statistics),
    patch("balloon/statistics", body::patch_balloon_statistics),
    get("balloon/hinting/status", Resource::balloon_hinting),
    patch("balloon/hinting/start", body::start_balloon_hinting, true),
    patch("balloon/hinting/stop", body::stop_balloon_hinting, true),
    put("entropy", body::put_entropy),
    get("mmds", Resource::mmds),
    {"PUT", "mmds", RouteKind::raw},
    {"PATCH", "mmds", RouteKind::raw},
    put("mmds/config", body::put_mmds_config),
    put("logger", body::put_logger),
    put("metrics", body::put_metrics),
    put("serial", body::put_serial),
    put("snapshot/create", body::snapshots),
    put("snapshot/load", body::snapshots),
    put("pmem/{id}", body::persistent_memory),
    patch("pmem/{id}", body::persistent_memory),
    {"DELETE", "pmem/{id}", RouteKind::remove},
    get("hotplug/memory", Resource::memory_hotplug),
    put("hotplug/memory", body::memory_hotplug),
    patch("hotplug/memory", body::memory_hotplug),
    // Ours.
    put("firmware", body::put_firmware),
    put("platform", body::put_platform),
    put("cdrom", body::put_cdrom),
    put("display", body::put_display),
    put("console", body::put_console),
    {"GET", "console", RouteKind::stream},
    {"GET", "events", RouteKind::stream},
    {"GET", "screen", RouteKind::screen},
    get("timeline", Resource::timeline),
    get("metrics", Resource::metrics),
    {"GET", "openapi.json", RouteKind::openapi},
};

/// Takes the next segment off a path.
std::string_view next_segment(std::string_view& path) noexcept {
    const std::size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    return segment;
}

bool matches(std::string_view pattern, std::string_view path, RouteMatch& match) noexcept {
    match.id.reset();
    while (!pattern.empty() && !path.empty()) {
        const std::string_view expected = next_segment(pattern), given = next_segment(path);
        if (expected == "{id}")
            match.id = given;
        else if (expected != given)
            return false;
    }
    return pattern.empty() && path.empty();
}

} // namespace

std::span<const Route> api_routes() noexcept {
    return routes;
}

RouteMatch find_route(std::string_view method, std::string_view target) noexcept {
    while (target.starts_with('/'))
        target.remove_prefix(1);
    RouteMatch match;
    for (const Route& route : routes) {
        if (route.method == method && matches(route.path, target, match)) {
            match.route = &route;
            return match;
        }
    }
    return {};
}

} // namespace coldstart
