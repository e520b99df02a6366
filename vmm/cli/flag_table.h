// The one table of commands and flags. Parsing (args.cpp), help (help.cpp) and shell completion
// (completion.cpp) are all derived from it, so that they can't disagree.
// A new flag is one line in flag_table.cpp and, when its value needs checking, a function in
// flag_values.cpp.
#pragma once

#include "vmm/cli/args.h"

#include <span>
#include <string_view>

namespace coldstart {

/// What a command line has said so far; the fields of the commands not given stay unused.
struct CommandDraft {
    RunCommand run;
    ServeCommand serve;
    DoctorCommand doctor;
    InspectCommand inspect;
    HelpCommand help;
    CompletionCommand completion;
    CtlCommand ctl;
    BenchCommand bench;
    bool serial_given = false;
    bool board_given = false;
};

/// What a shell may offer as the value of a flag.
enum class ValueKind {
    none,  ///< the flag takes no value
    file,  ///< a path
    words, ///< one of `words`; the parser has checked it when `store` is called
    forms, ///< one of `words`, of which those that end in '=' go on with a path
    keys,  ///< KEY=VALUE items joined by commas, the items being `words`
    text,  ///< anything else
};

struct FlagSpec {
    std::string_view group = {}; ///< heading in the help
    std::string_view name = {};  ///< with its dashes
    std::string_view value = {}; ///< how the help shows the value; empty: none
    ValueKind kind = ValueKind::none;
    std::string_view words = {}; ///< separated by '|'
    std::string_view help = {};
    bool repeatable = false;
    bool early = false; ///< stored before the others, wherever it stands: they change what it sets
    /// Checks and stores one value (empty for ValueKind::none); throws UsageError.
    void (*store)(CommandDraft&, const FlagSpec&, std::string_view) = nullptr;
};

/// One of the words that the operand may be, for the help.
struct OperandSpec {
    std::string_view usage = {}; ///< the word, and what follows it
    std::string_view help = {};
};

struct CommandSpec {
    std::string_view name = {};
    std::string_view operand = {}; ///< how the help shows the operand; empty: takes none
    bool operand_optional = false;
    ValueKind operand_kind = ValueKind::none;
    std::string_view operand_words = {};
    std::span<const OperandSpec> operand_list = {};
    bool operands_follow = false;  ///< the operand has operands of its own
    std::string_view summary = {}; ///< one line for the overview
    std::string_view details = {}; ///< paragraphs before the flags in the command's own help
    std::string_view examples = {};
    std::span<const FlagSpec> flags = {};
    void (*store_operand)(CommandDraft&, std::string_view) = nullptr;
    /// Checks what spans several flags; throws UsageError.
    Command (*finish)(CommandDraft&) = nullptr;
};

/// Those whose flags fill files of their own.
CommandSpec run_spec() noexcept;
CommandSpec serve_spec() noexcept;
CommandSpec firecracker_spec() noexcept;

/// In the order of the help.
std::span<const CommandSpec> command_table() noexcept;

/// Nothing when there is no such command.
const CommandSpec* find_command(std::string_view name) noexcept;

/// Calls `visit(word)` for each word of a '|'-separated list.
template <typename Visitor>
void for_each_word(std::string_view words, Visitor visit) {
    while (!words.empty()) {
        const std::size_t bar = words.find('|');
        visit(words.substr(0, bar));
        words.remove_prefix(bar == std::string_view::npos ? words.size() : bar + 1);
    }
}

} // namespace coldstart
