#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/cli/config_flag.h"
#include "vmm/cli/flag_table.h"
#include "vmm/cli/timeline_flag.h"

#include <limits>

namespace coldstart {
namespace {

using Value = std::string_view;

constexpr Value socket_group = "The socket";
constexpr Value machine_group = "The machine";
constexpr Value diagnostics = "Diagnostics";

std::uint64_t whole_number(const FlagSpec& flag, Value value, std::uint64_t max) {
    const auto number = parse_decimal(value);
    if (!number || *number > max)
        throw UsageError(
            cat(flag.name, ' ', printable(value, 40), ": not a number from 0 to ", max));
    return *number;
}

int descriptor(const FlagSpec& flag, Value value) {
    return static_cast<int>(whole_number(flag, value, std::numeric_limits<int>::max()));
}

constexpr FlagSpec serve_flags[] = {
    {.group = socket_group,
     .name = "--api-sock",
     .value = "PATH",
     .kind = ValueKind::file,
     .help = "the Unix socket to make and listen on, for this user alone",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.serve.api.socket_path = v; }},
    {.group = socket_group,
     .name = "--api-fd",
     .value = "N",
     .kind = ValueKind::text,
     .help = "a descriptor that is such a socket and listens already (default: the one that "
             "systemd passes)",
     .store = [](CommandDraft& d, const FlagSpec& f,
                 Value v) { d.serve.api.socket_fd = descriptor(f, v); }},
    {.group = socket_group,
     .name = "--ready-fd",
     .value = "N",
     .kind = ValueKind::text,
     .help = "a descriptor that gets the line READY=1 when clients can connect, and is closed",
     .store = [](CommandDraft& d, const FlagSpec& f,
                 Value v) { d.serve.api.ready_fd = descriptor(f, v); }},
    {.group = socket_group,
     .name = "--http-api-max-payload-size",
     .value = "BYTES",
     .kind = ValueKind::text,
     .help = "the largest body of a request (default: 51200)",
     .store =
         [](CommandDraft& d, const FlagSpec& f, Value v) {
             d.serve.api.max_body_bytes =
                 whole_number(f, v, std::numeric_limits<std::uint32_t>::max());
         }},
    {.group = machine_group,
     .name = "--config",
     .value = "FILE.json",
     .kind = ValueKind::file,
     .help = "configure the machine from a file, in the JSON of the requests, and start it",
     .store =
         [](CommandDraft& d, const FlagSpec&, Value v) {
             d.serve.requests = read_config_file(std::string(v));
             d.serve.start_at_once = true;
         }},
    {.group = machine_group,
     .name = "--id",
     .value = "NAME",
     .kind = ValueKind::text,
     .help = "what the machine is called (default: anonymous-instance)",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.serve.config.id = v; }},
    {.group = machine_group,
     .name = "--on-reboot",
     .value = "WHAT",
     .kind = ValueKind::words,
     .words = "restart|exit",
     .help = "what a guest's reboot does: restart it, or end the process (default: exit, as "
             "Firecracker's clients expect)",
     .store =
         [](CommandDraft& d, const FlagSpec&, Value v) {
             d.serve.config.on_reboot = v == "restart" ? OnReboot::restart : OnReboot::exit;
         }},
    {.group = machine_group,
     .name = "--metadata",
     .value = "FILE.json",
     .kind = ValueKind::file,
     .help = "what the metadata store holds at first",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.serve.metadata_path = v; }},
    {.group = machine_group,
     .name = "--mmds-size-limit",
     .value = "BYTES",
     .kind = ValueKind::text,
     .help = "how much the metadata store holds (default: 51200)",
     .store =
         [](CommandDraft& d, const FlagSpec& f, Value v) {
             d.serve.metadata_limit_bytes =
                 whole_number(f, v, std::numeric_limits<std::uint32_t>::max());
         }},
    timeline_flag(diagnostics,
                  [](CommandDraft& d, const FlagSpec&, Value v) {
                      d.serve.config.timeline_paths.push_back(checked_timeline_path(v));
                  }),
    {.group = diagnostics,
     .name = "--log-level",
     .value = "LEVEL",
     .kind = ValueKind::words,
     .words = "off|error|warn|info|debug",
     .help = "how much to say: off, error, warn, info or debug (default: warn)",
     .store = [](CommandDraft& d, const FlagSpec&,
                 Value v) { d.serve.log_level = parse_log_level(v).value_or(LogLevel::warn); }},
    {.group = diagnostics,
     .name = "--log",
     .value = "FILE",
     .kind = ValueKind::file,
     .help = "where to say it (default: stderr)",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.serve.log_path = v; }},
};

Command finish_serve(CommandDraft& draft) {
    // Without either, a socket of systemd's has to be there; that shows when it is taken.
    draft.serve.api.socket_by_systemd =
        !draft.serve.api.socket_fd && draft.serve.api.socket_path.empty();
    return draft.serve;
}

} // namespace

CommandSpec serve_spec() noexcept {
    return {.name = "serve",
            .summary = "wait on a Unix socket for requests that make, start and end a microVM",
            .details = "Listens for Firecracker's REST API and its extensions (docs/api.md). The\n"
                       "guest's console is on stdout; 'coldstart ctl console' types into it. The\n"
                       "process ends with its machine: status 0 when the guest powered off or\n"
                       "rebooted.\n",
            .examples = "  coldstart serve --api-sock vm.sock\n"
                        "  coldstart ctl --api-sock vm.sock info\n",
            .flags = serve_flags,
            .finish = finish_serve};
}

} // namespace coldstart
