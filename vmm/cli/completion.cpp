#include "vmm/cli/completion.h"

#include "vmm/base/text.h"
#include "vmm/cli/flag_table.h"

#include <string_view>

namespace coldstart {
namespace {

std::string spaced(std::string_view words) {
    std::string list;
    for_each_word(words, [&](std::string_view word) {
        list += list.empty() ? "" : " ";
        list += word;
    });
    return list;
}

std::string all_commands() {
    std::string list;
    for (const CommandSpec& command : command_table())
        list += cat(list.empty() ? "" : " ", command.name);
    return list;
}

/// The text inside single quotes of bash and zsh; `extra` are characters to put a '\' before.
std::string quoted_inside(std::string_view text, std::string_view extra) {
    std::string out;
    for (const char c : text) {
        if (c == '\'')
            out += "'\\''";
        else if (extra.find(c) != std::string_view::npos)
            out += cat('\\', c);
        else
            out += c;
    }
    return out;
}

// ---- bash

// '=' separates words for bash's completion, so "--boot=li" arrives as "--boot", "=", "li".
constexpr std::string_view bash_head =
    R"(# bash completion for coldstart, made by 'coldstart completion bash'
_coldstart() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}
    local value_of= words= files=
    COMPREPLY=()
    if [ "$cur" = "=" ]; then
        value_of=$prev cur=
    elif [ "$prev" = "=" ] && [ "$COMP_CWORD" -ge 2 ]; then
        value_of=${COMP_WORDS[COMP_CWORD-2]}
    else
        value_of=$prev
    fi
    if [ "$COMP_CWORD" -eq 1 ]; then
        value_of=
    fi
    case "$command $value_of" in
)";

constexpr std::string_view bash_tail = R"(    esac
    if [ -n "$files" ]; then
        compopt -o filenames 2>/dev/null
        while IFS= read -r words; do COMPREPLY+=("$words"); done < <(compgen -f -- "$cur")
    else
        while IFS= read -r files; do COMPREPLY+=("$files"); done < <(compgen -W "$words" -- "$cur")
        case "${COMPREPLY[0]}" in *=) compopt -o nospace 2>/dev/null ;; esac
    fi
}
complete -F _coldstart coldstart
)";

std::string bash_values(const FlagSpec& flag) {
    switch (flag.kind) {
    case ValueKind::file:
        return "files=1";
    case ValueKind::words:
    case ValueKind::forms:
    case ValueKind::keys:
        return cat("words='", spaced(flag.words), "'");
    case ValueKind::none:
    case ValueKind::text:
        break;
    }
    return ":";
}

/// After a command: its flags, and its operand.
std::string bash_operand(const CommandSpec& command) {
    std::string flags = "--help";
    for (const FlagSpec& flag : command.flags)
        flags += cat(' ', flag.name);
    if (command.operand_kind == ValueKind::file)
        return cat("case \"$cur\" in -*) words='", flags, "' ;; *) files=1 ;; esac");
    if (!command.operand_words.empty())
        flags = cat(spaced(command.operand_words), ' ', flags);
    return cat("words='", flags, "'");
}

std::string bash_script() {
    std::string out(bash_head);
    for (const CommandSpec& command : command_table()) {
        for (const FlagSpec& flag : command.flags) {
            if (flag.kind != ValueKind::none)
                out += cat("        '", command.name, ' ', flag.name, "') ", bash_values(flag),
                           " ;;\n");
        }
    }
    // "--disk path=F" and "--serial file=F": what stands before '=' is a key, perhaps after others.
    out += "        'run path'|'run file'|'run socket'|'run '*,path|'run '*,rom) files=1 ;;\n"
           "        'run '*,readonly|'run readonly') words='on off' ;;\n"
           "        'run '*,format|'run format') words='raw' ;;\n"
           "        'run '*,cache|'run cache') words='writeback none unsafe' ;;\n";
    for (const CommandSpec& command : command_table()) {
        out += cat("        '", command.name, " '?*) ", bash_operand(command), " ;;\n");
    }
    out += cat("        *) words='", all_commands(), " --help --version' ;;\n");
    out += bash_tail;
    return out;
}

// ---- zsh

std::string zsh_action(ValueKind kind, std::string_view words, std::string_view value_name) {
    const std::string label = quoted_inside(value_name.substr(0, value_name.find('[')), ":");
    switch (kind) {
    case ValueKind::file:
        return cat(':', label, ":_files");
    case ValueKind::words:
        return cat(':', label, ":(", spaced(words), ')');
    case ValueKind::forms:
    case ValueKind::keys:
        return cat(':', label, ":compadd -S \"\" -- ", spaced(words));
    case ValueKind::text:
        return cat(':', label, ": ");
    case ValueKind::none:
        break;
    }
    return "";
}

std::string zsh_script() {
    std::string out = "#compdef coldstart\n"
                      "# zsh completion for coldstart, made by 'coldstart completion zsh'\n"
                      "_coldstart() {\n"
                      "    local -a commands\n"
                      "    commands=(\n";
    for (const CommandSpec& command : command_table()) {
        out += cat("        '", command.name, ':', quoted_inside(command.summary, ":"), "'\n");
    }
    out += "    )\n"
           "    if (( CURRENT == 2 )); then\n"
           "        _describe command commands\n"
           "        return\n"
           "    fi\n"
           "    local command=$words[2]\n"
           "    shift words\n"
           "    (( CURRENT-- ))\n"
           "    case $command in\n";
    for (const CommandSpec& command : command_table()) {
        out += cat("    ", command.name, ")\n        _arguments '--help[show help]'");
        for (const FlagSpec& flag : command.flags) {
            out +=
                cat(" \\\n            '", flag.repeatable ? "*" : "", flag.name,
                    flag.kind == ValueKind::none ? "" : "=", '[', quoted_inside(flag.help, "[]:\\"),
                    ']', zsh_action(flag.kind, flag.words, flag.value), '\'');
        }
        if (!command.operand.empty())
            out +=
                cat(" \\\n            '1",
                    zsh_action(command.operand_kind, command.operand_words, command.operand), '\'');
        if (command.operands_follow)
            out += " \\\n            '*:argument:_files'";
        out += " ;;\n";
    }
    out += "    esac\n"
           "}\n"
           "if [ \"$funcstack[1]\" = _coldstart ]; then\n"
           "    _coldstart \"$@\"\n"
           "else\n"
           "    compdef _coldstart coldstart\n"
           "fi\n";
    return out;
}

// ---- fish

std::string fish_quoted(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'' || c == '\\')
            out += '\\';
        out += c;
    }
    return out + "'";
}

std::string fish_script() {
    std::string out = "# fish completion for coldstart, made by 'coldstart completion fish'\n"
                      "complete -c coldstart -f\n";
    for (const CommandSpec& command : command_table()) {
        out += cat("complete -c coldstart -n __fish_use_subcommand -a ", command.name, " -d ",
                   fish_quoted(command.summary), '\n');
        const std::string within =
            cat("complete -c coldstart -n '__fish_seen_subcommand_from ", command.name, "' ");
        for (const FlagSpec& flag : command.flags) {
            out += cat(within, "-l ", flag.name.substr(2));
            if (flag.kind == ValueKind::file)
                out += " -r -F";
            else if (flag.kind == ValueKind::text)
                out += " -x";
            else if (flag.kind != ValueKind::none)
                out += cat(" -x -a ", fish_quoted(spaced(flag.words)));
            out += cat(" -d ", fish_quoted(flag.help), '\n');
        }
        if (command.operand_kind == ValueKind::file)
            out += cat(within, "-F\n");
        else if (!command.operand_words.empty())
            out += cat(within, "-a ", fish_quoted(spaced(command.operand_words)), '\n');
    }
    return out;
}

} // namespace

std::string completion_script(Shell shell) {
    switch (shell) {
    case Shell::bash:
        return bash_script();
    case Shell::zsh:
        return zsh_script();
    case Shell::fish:
        break;
    }
    return fish_script();
}

} // namespace coldstart
