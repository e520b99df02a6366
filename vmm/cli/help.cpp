#include "vmm/cli/help.h"

#include "vmm/base/text.h"
#include "vmm/cli/flag_table.h"

#include <cassert>

namespace coldstart {
namespace {

constexpr std::size_t line_chars = 79;
constexpr std::size_t flag_indent = 2;
constexpr std::size_t help_indent = 22;

/// Appends `text` broken at spaces, each line after the first `indent` deep; the first line
/// starts at `column`.
void append_wrapped(std::string& out, std::string_view text, std::size_t column,
                    std::size_t indent) {
    bool line_is_empty = true;
    while (!text.empty()) {
        const std::size_t space = text.find(' ');
        const std::string_view word = text.substr(0, space);
        text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
        if (!line_is_empty && column + 1 + word.size() > line_chars) {
            out += '\n';
            out.append(indent, ' ');
            column = indent;
            line_is_empty = true;
        }
        if (!line_is_empty) {
            out += ' ';
            ++column;
        }
        out += word;
        column += word.size();
        line_is_empty = false;
    }
    out += '\n';
}

void append_entry(std::string& out, std::string_view name, std::string_view text) {
    out.append(flag_indent, ' ');
    out += name;
    std::size_t column = flag_indent + name.size();
    if (column + 2 > help_indent) {
        out += '\n';
        column = 0;
    }
    out.append(help_indent - column, ' ');
    append_wrapped(out, text, help_indent, help_indent);
}

void append_flags(std::string& out, const CommandSpec& command) {
    std::string_view group;
    for (const FlagSpec& flag : command.flags) {
        if (flag.group != group) {
            group = flag.group;
            out += cat('\n', group, ":\n");
        }
        const std::string name =
            flag.value.empty() ? std::string(flag.name) : cat(flag.name, ' ', flag.value);
        append_entry(out, name, flag.help);
    }
}

std::string command_help(const CommandSpec& command) {
    std::string out;
    append_wrapped(out, cat("coldstart ", command.name, ": ", command.summary), 0, 0);
    out += cat("\nUsage: coldstart ", command.name);
    if (!command.flags.empty())
        out += " [FLAGS]";
    if (!command.operand.empty())
        out +=
            command.operand_optional ? cat(" [", command.operand, ']') : cat(' ', command.operand);
    out += '\n';
    if (!command.details.empty())
        out += cat('\n', command.details);
    if (!command.operand_list.empty()) {
        out += "\nVerbs:\n";
        for (const OperandSpec& operand : command.operand_list)
            append_entry(out, operand.usage, operand.help);
    }
    if (!command.flags.empty()) {
        append_flags(out, command);
        out += "\nA value follows its flag as '--flag VALUE' or '--flag=VALUE'.\n";
    }
    out += cat("\nExamples:\n", command.examples);
    return out;
}

std::string overview() {
    std::string out = "coldstart: boots a Linux virtual machine on KVM, quickly\n"
                      "\n"
                      "Usage: coldstart COMMAND [FLAGS]\n"
                      "\n"
                      "Commands:\n";
    for (const CommandSpec& command : command_table()) {
        append_entry(out, command.name, command.summary);
    }
    out += "\n"
           "Examples:\n"
           "  coldstart doctor                                is this host ready?\n"
           "  coldstart run --kernel vmlinuz --initrd initrd.img\n"
           "                                                  boot; Ctrl-A x quits\n"
           "  coldstart inspect vmlinuz                       what is this file?\n"
           "\n"
           "Exit status of run: 0 the guest powered off, 1 the host side failed, 2 bad\n"
           "usage, 3 the guest crashed, 4 it rebooted under --on-reboot exit, 124 --timeout\n"
           "ran out, 128+N ended by signal N.\n"
           "\n"
           "'coldstart help COMMAND' shows the flags of a command.\n";
    return out;
}

} // namespace

std::string help_text(std::string_view topic) {
    if (topic.empty())
        return overview();
    const CommandSpec* command = find_command(topic);
    assert(command != nullptr);
    return command_help(*command);
}

std::string version_text() {
    return "coldstart " COLDSTART_VERSION "\n";
}

} // namespace coldstart
