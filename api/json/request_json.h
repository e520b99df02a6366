// The body of each request, and each section of a configuration file, into a Request.
// Source: Firecracker's API document (src/firecracker/swagger/firecracker.yaml); ours: docs/api.md.
// Threads: any.
#pragma once

#include "api/command/request.h"
#include "api/json/json_reader.h"

#include <optional>
#include <string_view>

namespace coldstart {

struct ParsedRequest {
    Request request;
    bool deprecated = false; ///< a field of it, which the answer's header says
};

/// `path_id` is what the path names, where it names something: the body must name the same. Throws
/// Error when the body is not as it should be.
using BodyParser = ParsedRequest (*)(const Json& body, std::optional<std::string_view> path_id);

namespace body {
ParsedRequest put_action(const Json&, std::optional<std::string_view>);
ParsedRequest put_balloon(const Json&, std::optional<std::string_view>);
ParsedRequest patch_balloon(const Json&, std::optional<std::string_view>);
ParsedRequest patch_balloon_statistics(const Json&, std::optional<std::string_view>);
ParsedRequest start_balloon_hinting(const Json&, std::optional<std::string_view>);
ParsedRequest stop_balloon_hinting(const Json&, std::optional<std::string_view>);
ParsedRequest put_boot_source(const Json&, std::optional<std::string_view>);
ParsedRequest put_cdrom(const Json&, std::optional<std::string_view>);
ParsedRequest put_console(const Json&, std::optional<std::string_view>);
ParsedRequest put_cpu_config(const Json&, std::optional<std::string_view>);
ParsedRequest put_display(const Json&, std::optional<std::string_view>);
ParsedRequest put_drive(const Json&, std::optional<std::string_view>);
ParsedRequest patch_drive(const Json&, std::optional<std::string_view>);
ParsedRequest put_entropy(const Json&, std::optional<std::string_view>);
ParsedRequest put_firmware(const Json&, std::optional<std::string_view>);
ParsedRequest put_logger(const Json&, std::optional<std::string_view>);
ParsedRequest put_machine_config(const Json&, std::optional<std::string_view>);
ParsedRequest patch_machine_config(const Json&, std::optional<std::string_view>);
ParsedRequest put_metrics(const Json&, std::optional<std::string_view>);
ParsedRequest put_mmds_config(const Json&, std::optional<std::string_view>);
ParsedRequest put_network_interface(const Json&, std::optional<std::string_view>);
ParsedRequest patch_network_interface(const Json&, std::optional<std::string_view>);
ParsedRequest put_platform(const Json&, std::optional<std::string_view>);
ParsedRequest put_serial(const Json&, std::optional<std::string_view>);
ParsedRequest put_vsock(const Json&, std::optional<std::string_view>);
ParsedRequest patch_vm(const Json&, std::optional<std::string_view>);
/// Of resources that are not built here.
ParsedRequest snapshots(const Json&, std::optional<std::string_view>);
ParsedRequest persistent_memory(const Json&, std::optional<std::string_view>);
ParsedRequest memory_hotplug(const Json&, std::optional<std::string_view>);
} // namespace body

/// Our name for one of Firecracker's log levels, in any case; nothing for what is none.
std::optional<std::string> firecracker_level(std::string_view given);

/// "rootfs", "eth_0"; throws Error for any other sign than letters, digits and '_'.
void check_resource_id(std::string_view what, std::string_view id);

} // namespace coldstart
