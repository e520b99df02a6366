#include "vmm/cli/args.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/cli/flag_table.h"
#include "vmm/cli/nearest.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace coldstart {
namespace {

using Arguments = std::span<const std::string_view>;

bool looks_like_flag(std::string_view argument) noexcept {
    return argument.size() > 1 && argument.starts_with('-');
}

bool asks_for_help(std::string_view argument) noexcept {
    return argument == "--help" || argument == "-h";
}

bool has_word(std::string_view words, std::string_view value) {
    bool found = false;
    for_each_word(words, [&](std::string_view word) { found = found || word == value; });
    return found;
}

std::string word_list(std::string_view words) {
    std::string list;
    for_each_word(words, [&](std::string_view word) {
        list += list.empty() ? "" : ", ";
        list += word;
    });
    return list;
}

void check_word(std::string_view what, std::string_view words, std::string_view value) {
    if (!has_word(words, value))
        throw UsageError(cat(what, ' ', printable(value, 60), ": unknown value"),
                         "accepted: " + word_list(words));
}

/// One pass over the arguments after the command's name.
class Parser {
  public:
    Parser(const CommandSpec& command, Arguments arguments) : command_(command), left_(arguments) {}

    Command parse() {
        bool flags_ended = false;
        while (!left_.empty()) {
            const std::string_view argument = take();
            if (!flags_ended && argument == "--")
                flags_ended = true;
            else if (!flags_ended && looks_like_flag(argument))
                parse_flag(argument);
            else
                parse_operand(argument);
        }
        store_flags();
        if (!operand_seen_ && !command_.operand.empty() && !command_.operand_optional)
            throw UsageError(cat(command_.name, ": ", command_.operand, " is missing"));
        return command_.finish(draft_);
    }

  private:
    std::string_view take() noexcept {
        const std::string_view argument = left_.front();
        left_ = left_.subspan(1);
        return argument;
    }

    void parse_flag(std::string_view argument) {
        const std::size_t equals = argument.find('=');
        const std::string_view name = argument.substr(0, equals);
        std::optional<std::string_view> value;
        if (equals != std::string_view::npos)
            value = argument.substr(equals + 1);

        const FlagSpec& flag = find_flag(name);
        if (!flag.repeatable && std::find(seen_.begin(), seen_.end(), &flag) != seen_.end())
            throw UsageError(cat(name, ": given twice"));
        seen_.push_back(&flag);
        given_.emplace_back(&flag, flag_value(flag, value));
    }

    void store_flags() {
        std::stable_partition(given_.begin(), given_.end(),
                              [](const auto& given) { return given.first->early; });
        for (const auto& [flag, value] : given_)
            flag->store(draft_, *flag, value);
    }

    const FlagSpec& find_flag(std::string_view name) const {
        std::vector<std::string_view> names;
        for (const FlagSpec& flag : command_.flags) {
            if (flag.name == name)
                return flag;
            names.push_back(flag.name);
        }
        const auto nearest = nearest_name(name, names);
        throw UsageError(cat(printable(name, 60), ": unknown flag"),
                         nearest.empty() ? "" : cat("did you mean ", nearest, "?"));
    }

    std::string_view flag_value(const FlagSpec& flag, std::optional<std::string_view> value) {
        if (flag.kind == ValueKind::none) {
            if (value)
                throw UsageError(cat(flag.name, ": takes no value"),
                                 cat("write ", flag.name, " alone"));
            return {};
        }
        if (!value) {
            if (left_.empty())
                throw UsageError(cat(flag.name, ": value is missing"),
                                 cat("write ", flag.name, ' ', flag.value));
            if (left_.front().starts_with("--"))
                throw UsageError(
                    cat(flag.name, ": value is missing before ", printable(left_.front(), 40)),
                    cat("a value that begins with -- is written ", flag.name, "=VALUE"));
            value = take();
        }
        // An empty command line is a wish like any other; an empty path or number is a slip.
        if (value->empty() && flag.name != "--cmdline")
            throw UsageError(cat(flag.name, ": value is empty"),
                             cat("write ", flag.name, ' ', flag.value));
        if (flag.kind == ValueKind::words)
            check_word(flag.name, flag.words, *value);
        return *value;
    }

    void parse_operand(std::string_view argument) {
        if (command_.operand.empty())
            throw UsageError(
                cat(command_.name, ": unexpected argument '", printable(argument, 60), "'"),
                "flags begin with --");
        if (operand_seen_ && !command_.operands_follow)
            throw UsageError(
                cat(command_.name, ": unexpected second argument '", printable(argument, 60), "'"),
                cat("one ", command_.operand, " at a time"));
        if (argument.empty())
            throw UsageError(cat(command_.name, ": ", command_.operand, " is empty"));
        // `help` checks its topic itself.
        if (command_.operand_kind == ValueKind::words && !command_.operand_optional &&
            !operand_seen_)
            check_word(command_.name, command_.operand_words, argument);
        operand_seen_ = true;
        command_.store_operand(draft_, argument);
    }

    const CommandSpec& command_;
    Arguments left_;
    CommandDraft draft_;
    std::vector<const FlagSpec*> seen_;
    std::vector<std::pair<const FlagSpec*, std::string_view>> given_;
    bool operand_seen_ = false;
};

[[noreturn]] void refuse_command(std::string_view name) {
    if (name.starts_with('-')) {
        const std::string_view flag = name.substr(0, name.find('='));
        for (const FlagSpec& known : find_command("run")->flags) {
            if (known.name == flag)
                throw UsageError(cat(flag, ": the command must come first"),
                                 cat("write coldstart run ", flag, " ..."));
        }
        throw UsageError(cat(printable(name, 60), ": unknown flag"));
    }
    std::vector<std::string_view> names;
    for (const CommandSpec& command : command_table()) {
        names.push_back(command.name);
    }
    const auto nearest = nearest_name(name, names);
    throw UsageError(cat(printable(name, 60), ": unknown command"),
                     nearest.empty() ? "" : cat("did you mean ", nearest, "?"));
}

Command parse_command(const CommandSpec& command, Arguments arguments) {
    for (const std::string_view argument : arguments) {
        if (argument == "--")
            break;
        if (asks_for_help(argument))
            return HelpCommand{.topic = std::string(command.name), .asked = true};
    }
    return Parser(command, arguments).parse();
}

} // namespace

Command parse_command_line(Arguments arguments) {
    if (arguments.empty())
        return HelpCommand{.topic = "", .asked = false};
    const std::string_view first = arguments.front();
    if (asks_for_help(first))
        return HelpCommand{};

    std::string hint = "see 'coldstart --help'";
    try {
        const CommandSpec* command = find_command(first == "--version" ? "version" : first);
        if (command == nullptr)
            refuse_command(first);
        hint = cat("see 'coldstart ", command->name, " --help'");
        return parse_command(*command, arguments.subspan(1));
    } catch (const UsageError& error) {
        throw UsageError(error.what(), hint);
    }
}

} // namespace coldstart
