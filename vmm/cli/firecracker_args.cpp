#include "api/json/request_json.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/cli/firecracker.h"
#include "vmm/cli/flag_table.h"
#include "vmm/cli/session.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>
#include <vector>

namespace coldstart {
namespace {

using Value = std::string_view;

struct Argument {
    std::string_view name;
    bool has_value = true;
    void (*store)(FirecrackerArguments&, std::string_view name, Value) = nullptr;
};

std::size_t bytes(std::string_view name, Value value) {
    const auto number = parse_decimal(value);
    if (!number || *number > std::numeric_limits<std::uint32_t>::max())
        throw UsageError(cat("--", name, ' ', printable(value, 40), ": not a number of bytes"));
    return static_cast<std::size_t>(*number);
}

void store_id(FirecrackerArguments& a, std::string_view, Value value) {
    const bool plain = std::all_of(value.begin(), value.end(), [](unsigned char sign) {
        return (std::isalnum(sign) != 0 && sign < 0x80) || sign == '-';
    });
    if (value.empty() || value.size() > 64 || !plain)
        throw UsageError(
            cat("--id ", printable(value, 80), ": use 1 to 64 letters, digits and hyphens"));
    a.id = value;
}

void store_level(FirecrackerArguments& a, std::string_view, Value value) {
    a.logger.level = firecracker_level(value);
    if (!a.logger.level)
        throw ConfigurationRefused(
            Error(cat("--level ", printable(value, 40),
                      ": use Off, Trace, Debug, Info, Warn, Warning or Error")));
}

void no_effect(FirecrackerArguments&, std::string_view, Value) {}

void some_time(FirecrackerArguments&, std::string_view name, Value value) {
    if (!parse_decimal(value))
        throw UsageError(cat("--", name, ' ', printable(value, 40), ": not a number"));
}

constexpr Argument known[] = {
    {"api-sock", true,
     [](FirecrackerArguments& a, std::string_view, Value v) { a.api_socket = v; }},
    {"id", true, store_id},
    {"config-file", true,
     [](FirecrackerArguments& a, std::string_view, Value v) { a.config_path = v; }},
    {"no-api", false, [](FirecrackerArguments& a, std::string_view, Value) { a.api = false; }},
    {"metadata", true,
     [](FirecrackerArguments& a, std::string_view, Value v) { a.metadata_path = v; }},
    {"http-api-max-payload-size", true,
     [](FirecrackerArguments& a, std::string_view n, Value v) { a.max_body_bytes = bytes(n, v); }},
    {"mmds-size-limit", true,
     [](FirecrackerArguments& a, std::string_view n, Value v) {
         a.metadata_limit_bytes = bytes(n, v);
     }},
    {"log-path", true,
     [](FirecrackerArguments& a, std::string_view, Value v) { a.logger.path = v; }},
    {"level", true, store_level},
    {"module", true,
     [](FirecrackerArguments& a, std::string_view, Value v) { a.logger.module = v; }},
    {"show-level", false,
     [](FirecrackerArguments& a, std::string_view, Value) { a.logger.show_level = true; }},
    {"show-log-origin", false,
     [](FirecrackerArguments& a, std::string_view, Value) { a.logger.show_origin = true; }},
    {"metrics-path", true,
     [](FirecrackerArguments& a, std::string_view, Value v) { a.metrics_path = v; }},
    {"version", false, [](FirecrackerArguments& a, std::string_view, Value) { a.version = true; }},
    {"help", false, [](FirecrackerArguments& a, std::string_view, Value) { a.help = true; }},
    {"enable-pci", false,
     [](FirecrackerArguments& a, std::string_view, Value) { a.wants_pci = true; }},
    {"no-seccomp", false, no_effect},
    {"seccomp-filter", true, no_effect},
    {"boot-timer", false, no_effect},
    {"start-time-us", true, some_time},
    {"start-time-cpu-us", true, some_time},
    {"parent-cpu-time-us", true, some_time},
};

bool given(const std::vector<std::string_view>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

} // namespace

FirecrackerArguments parse_firecracker(std::span<const std::string_view> arguments) {
    FirecrackerArguments parsed;
    std::vector<std::string_view> seen;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string_view argument = arguments[i];
        const auto* const found =
            std::find_if(std::begin(known), std::end(known), [&](const Argument& one) {
                return argument.starts_with("--") && argument.substr(2) == one.name;
            });
        if (found == std::end(known))
            throw UsageError(cat("found argument '", printable(argument, 60),
                                 "' which wasn't expected, or isn't valid in this context"));
        if (given(seen, found->name))
            throw UsageError(cat("the argument '", found->name, "' was given twice"));
        seen.push_back(found->name);
        std::string_view value;
        if (found->has_value) {
            if (i + 1 == arguments.size() || arguments[i + 1].starts_with("--"))
                throw UsageError(cat("the argument '", found->name, "' needs a value"));
            value = arguments[++i];
        }
        found->store(parsed, found->name, value);
    }
    if (parsed.version || parsed.help)
        return parsed;
    if (!parsed.api && parsed.config_path.empty())
        throw UsageError("--no-api: without the API a machine needs --config-file");
    if (given(seen, "no-seccomp") && given(seen, "seccomp-filter"))
        throw UsageError("--no-seccomp and --seccomp-filter exclude each other");
    return parsed;
}

CommandSpec firecracker_spec() noexcept {
    return {.name = "firecracker",
            .summary = "take Firecracker's own arguments, as under that name",
            .details = "For programs that start Firecracker: link this program under the name\n"
                       "'firecracker', or put the command before its arguments:\n"
                       "  --api-sock PATH  --id NAME  --config-file FILE  --no-api\n"
                       "  --metadata FILE  --mmds-size-limit BYTES\n"
                       "  --http-api-max-payload-size BYTES\n"
                       "  --log-path FILE  --level LEVEL  --module NAME  --show-level\n"
                       "  --show-log-origin  --metrics-path FILE  --version  --help\n"
                       "Taken and without effect: --boot-timer --no-seccomp --seccomp-filter FILE\n"
                       "  --enable-pci --start-time-us N --start-time-cpu-us N\n"
                       "  --parent-cpu-time-us N\n",
            .examples = "  coldstart firecracker --api-sock vm.sock --id vm1\n"
                        "  coldstart firecracker --no-api --config-file vm.json\n",
            .finish = [](CommandDraft&) { return Command(VersionCommand{}); }};
}

} // namespace coldstart
