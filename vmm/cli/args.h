// The command line as data: what the user asked for, checked, or one UsageError that names the
// flag, the value and what is accepted.
//
// The flags stand in flag_table.cpp, and from that one table come parsing, help and completion.
#pragma once

#include "api/command/request.h"
#include "api/command/vm_config.h"
#include "api/json/metadata_store.h"
#include "vmm/base/log.h"
#include "vmm/cli/bench/bench.h"
#include "vmm/cli/ctl/ctl.h"
#include "vmm/cli/session.h"

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace coldstart {

/// The machine that clients of Firecracker's API expect before their first request.
inline VmConfig api_machine() {
    VmConfig config;
    config.id = "anonymous-instance";
    config.memory_bytes = 128 * MiB;
    config.rng = false;
    config.keyboard = true;
    config.on_reboot = OnReboot::exit;
    return config;
}

/// Boot a microVM in the foreground.
struct RunCommand {
    VmConfig config;
    LogLevel log_level = LogLevel::warn;
    std::string log_path;          ///< empty: stderr
    std::string metadata_path;     ///< JSON for the guest's metadata service; empty: no service
    std::string events_path;       ///< gets each event as a line of JSON; empty: none
    std::vector<Request> requests; ///< of a configuration file, what is no part of `config`
    ApiOptions api;
    bool display_on_terminal = false;
};

/// Wait for requests that configure, start and end a machine.
struct ServeCommand {
    VmConfig config = api_machine(); ///< before any request
    std::vector<Request> requests;   ///< of a configuration file
    ApiOptions api;
    bool start_at_once = false;
    std::string metadata_path;
    std::size_t metadata_limit_bytes = MetadataStore::default_limit_bytes;
    LogLevel log_level = LogLevel::warn;
    std::string log_path;
};

/// What this host's KVM can do.
struct DoctorCommand {
    bool json = false;
};

/// What a file is and how it would boot.
struct InspectCommand {
    std::string path;
    bool json = false;
};

struct HelpCommand {
    std::string topic; ///< a command's name; empty: the overview
    bool asked = true; ///< false: no command was given, so the text goes to stderr, status 2
};

struct VersionCommand {};

enum class Shell { bash, zsh, fish };

/// A completion script for a shell, on stdout.
struct CompletionCommand {
    Shell shell = Shell::bash;
};

using Command = std::variant<RunCommand, ServeCommand, DoctorCommand, InspectCommand, HelpCommand,
                             VersionCommand, CompletionCommand, CtlCommand, BenchCommand>;

/// `arguments` without the program's name. Throws UsageError.
Command parse_command_line(std::span<const std::string_view> arguments);

} // namespace coldstart
