// The command line as data: what the user asked for, checked, or one UsageError that names the
// flag, the value and what is accepted.
//
// The flags stand in flag_table.cpp, and from that one table come parsing, help and completion.
// Missing: the commands and flags marked `later` there are recognised and refused.
#pragma once

#include "api/command/vm_config.h"
#include "vmm/base/log.h"
#include "vmm/cli/ctl/ctl.h"

#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace coldstart {

/// Boot a microVM in the foreground.
struct RunCommand {
    VmConfig config;
    LogLevel log_level = LogLevel::warn;
    std::string log_path;      ///< empty: stderr
    std::string metadata_path; ///< JSON for the guest's metadata service; empty: no service
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

using Command = std::variant<RunCommand, DoctorCommand, InspectCommand, HelpCommand, VersionCommand,
                             CompletionCommand, CtlCommand>;

/// `arguments` without the program's name. Throws UsageError.
Command parse_command_line(std::span<const std::string_view> arguments);

} // namespace coldstart
