#include "vmm/cli/flag_table.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/cli/bench/bench_flags.h"
#include "vmm/cli/ctl/ctl_flags.h"

namespace coldstart {
namespace {

using Value = std::string_view;

constexpr FlagSpec inspect_flags[] = {
    {.group = "Output",
     .name = "--json",
     .help = "one JSON object instead of text",
     .store = [](CommandDraft& d, const FlagSpec&, Value) { d.inspect.json = true; }},
};

constexpr FlagSpec doctor_flags[] = {
    {.group = "Output",
     .name = "--json",
     .help = "one JSON object instead of text",
     .store = [](CommandDraft& d, const FlagSpec&, Value) { d.doctor.json = true; }},
};

Command finish_inspect(CommandDraft& draft) {
    if (draft.inspect.path.empty())
        throw UsageError("inspect: the file is missing", "name it: coldstart inspect FILE");
    return draft.inspect;
}

Command finish_help(CommandDraft& draft) {
    if (!draft.help.topic.empty()) {
        const CommandSpec* command = find_command(draft.help.topic);
        if (command == nullptr)
            throw UsageError(cat("help ", printable(draft.help.topic), ": no such command"));
    }
    return draft.help;
}

const CommandSpec commands[] = {
    run_spec(),
    serve_spec(),
    firecracker_spec(),
    {.name = "inspect",
     .operand = "FILE",
     .operand_kind = ValueKind::file,
     .summary = "what a kernel, initrd, disk or firmware file is and how it would boot",
     .details = "Reads a file, never changes it, and says what it holds and which flag of\n"
                "'coldstart run' it belongs to.\n",
     .examples = "  coldstart inspect vmlinuz\n"
                 "  coldstart inspect --json root.ext4\n",
     .flags = inspect_flags,
     .store_operand = [](CommandDraft& d, Value v) { d.inspect.path = v; },
     .finish = finish_inspect},
    {.name = "doctor",
     .summary = "what this host's KVM can do, what is missing and how to mend it",
     .details = "Checks this host for what 'coldstart run' needs, and prints for each lack the\n"
                "command that mends it.\n",
     .examples = "  coldstart doctor\n",
     .flags = doctor_flags,
     .finish = [](CommandDraft& d) { return Command(d.doctor); }},
    ctl_spec(),
    bench_spec(),
    {.name = "completion",
     .operand = "SHELL",
     .operand_kind = ValueKind::words,
     .operand_words = "bash|zsh|fish",
     .summary = "print a completion script for bash, zsh or fish",
     .details = "Prints a script that teaches a shell to complete coldstart's commands, flags and\n"
                "values.\n",
     .examples = "  source <(coldstart completion bash)\n"
                 "  coldstart completion zsh > \"${fpath[1]}/_coldstart\"\n"
                 "  coldstart completion fish > ~/.config/fish/completions/coldstart.fish\n",
     .store_operand =
         [](CommandDraft& d, Value v) {
             d.completion.shell = v == "zsh" ? Shell::zsh : v == "fish" ? Shell::fish : Shell::bash;
         },
     .finish = [](CommandDraft& d) { return Command(d.completion); }},
    {.name = "help",
     .operand = "COMMAND",
     .operand_optional = true,
     .operand_kind = ValueKind::words,
     .operand_words = "run|serve|ctl|bench|firecracker|inspect|doctor|completion|help|version",
     .summary = "this overview, or the help of one command",
     .examples = "  coldstart help run\n",
     .store_operand = [](CommandDraft& d, Value v) { d.help.topic = v; },
     .finish = finish_help},
    {.name = "version",
     .summary = "print the version",
     .examples = "  coldstart version\n",
     .finish = [](CommandDraft&) { return Command(VersionCommand{}); }},
};

} // namespace

std::span<const CommandSpec> command_table() noexcept {
    return commands;
}

const CommandSpec* find_command(std::string_view name) noexcept {
    for (const CommandSpec& command : commands) {
        if (command.name == name)
            return &command;
    }
    return nullptr;
}

} // namespace coldstart
