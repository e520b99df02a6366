#include "vmm/cli/ctl/ctl_flags.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/cli/ctl/verb_table.h"
#include "vmm/cli/flag_values.h"

#include <array>
#include <iterator>

namespace coldstart {
namespace {

using Value = std::string_view;

constexpr Value machine = "Which machine";
constexpr Value output = "Output";
constexpr Value of_verbs = "Of some verbs";

constexpr FlagSpec ctl_flags[] = {
    {.group = machine,
     .name = "--api-sock",
     .value = "PATH",
     .kind = ValueKind::file,
     .help = "its control socket (default: $COLDSTART_API_SOCK, or /run/coldstart.socket)",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.ctl.socket_path = v; }},
    {.group = output,
     .name = "--json",
     .help = "answers as JSON, one line each",
     .store = [](CommandDraft& d, const FlagSpec&, Value) { d.ctl.json = true; }},
    {.group = of_verbs,
     .name = "--text",
     .help = "screen: the characters of a text screen instead of a picture",
     .store = [](CommandDraft& d, const FlagSpec&, Value) { d.ctl.text = true; }},
    {.group = of_verbs,
     .name = "--path",
     .value = "FILE",
     .kind = ValueKind::file,
     .help = "drive: the file that is to be behind it, for the running machine",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.ctl.path = v; }},
    {.group = of_verbs,
     .name = "--timeout",
     .value = "SECONDS",
     .kind = ValueKind::text,
     .help = "wait: give up after this long, with status 124 (default: never)",
     .store = [](CommandDraft& d, const FlagSpec& f,
                 Value v) { d.ctl.timeout_s = parse_seconds_flag(f.name, v); }},
    {.group = of_verbs,
     .name = "--linger",
     .value = "SECONDS",
     .kind = ValueKind::text,
     .help = "console: when stdin has ended, stay until the guest has been silent for this long "
             "(default: 1)",
     .store = [](CommandDraft& d, const FlagSpec& f,
                 Value v) { d.ctl.linger_s = parse_seconds_flag(f.name, v); }},
};

constexpr auto operand_list = [] {
    std::array<OperandSpec, std::size(ctl_verbs)> list{};
    for (std::size_t i = 0; i < list.size(); ++i)
        list[i] = ctl_verbs[i].spec;
    return list;
}();

/// The names, separated by '|'.
constexpr std::size_t names_size = [] {
    std::size_t size = std::size(ctl_verbs) - 1;
    for (const CtlVerb& verb : ctl_verbs)
        size += verb.name().size();
    return size;
}();

constexpr auto names = [] {
    std::array<char, names_size> text{};
    std::size_t at = 0;
    for (const CtlVerb& verb : ctl_verbs) {
        if (at != 0)
            text[at++] = '|';
        for (const char letter : verb.name())
            text[at++] = letter;
    }
    return text;
}();

/// The flags that were given, of those that go with some verbs alone.
void check_flag(const CtlVerb& verb, bool given, Value flag) {
    bool takes = false;
    for_each_word(verb.flags, [&](Value word) { takes = takes || word == flag; });
    if (given && !takes)
        throw UsageError(cat("ctl ", verb.name(), ": does not take ", flag));
}

Command finish_ctl(CommandDraft& draft) {
    const CtlCommand& ctl = draft.ctl;
    const CtlVerb* const verb = find_ctl_verb(ctl.verb);
    if (verb == nullptr)
        throw UsageError(cat("ctl ", printable(ctl.verb, 60), ": unknown verb"));
    const std::size_t count = ctl.arguments.size();
    if (count < verb->min_arguments)
        throw UsageError(cat("ctl ", verb->name(), ": something is missing"),
                         cat("write coldstart ctl ", verb->spec.usage));
    if (count > verb->max_arguments)
        throw UsageError(cat("ctl ", verb->name(), ": unexpected argument '",
                             printable(ctl.arguments[verb->max_arguments], 60), "'"),
                         cat("write coldstart ctl ", verb->spec.usage));
    check_flag(*verb, ctl.text, "--text");
    check_flag(*verb, !ctl.path.empty(), "--path");
    check_flag(*verb, ctl.timeout_s.has_value(), "--timeout");
    check_flag(*verb, ctl.linger_s.has_value(), "--linger");
    if (ctl.text && !ctl.arguments.empty())
        throw UsageError("ctl screen: characters go to stdout, and a file gets a picture",
                         "leave out --text or the file");
    return ctl;
}

void store_operand(CommandDraft& draft, Value value) {
    if (draft.ctl.verb.empty())
        draft.ctl.verb = value;
    else
        draft.ctl.arguments.emplace_back(value);
}

} // namespace

CommandSpec ctl_spec() noexcept {
    return {.name = "ctl",
            .operand = "VERB [ARG...]",
            .operand_kind = ValueKind::words,
            .operand_words = {names.data(), names.size()},
            .operand_list = operand_list,
            .operands_follow = true,
            .summary = "talk to a machine over its control socket",
            .details =
                "Asks the machine behind a control socket for what the verb says. stdout gets\n"
                "what was asked for and nothing else. Exit status: 0 done, 1 refused or nobody\n"
                "there, 2 bad usage, 124 --timeout ran out.\n",
            .examples = "  coldstart ctl --api-sock vm.sock info\n"
                        "  coldstart ctl wait ready --timeout 10 && coldstart ctl console\n"
                        "  echo 'uname -a' | coldstart ctl console\n"
                        "  coldstart ctl screen picture.png\n"
                        "  coldstart ctl put /drives/data '{\"drive_id\": \"data\",\n"
                        "      \"path_on_host\": \"/srv/data.img\", \"is_root_device\": false}'\n"
                        "  coldstart ctl put /machine-config @machine.json\n",
            .flags = ctl_flags,
            .store_operand = store_operand,
            .finish = finish_ctl};
}

} // namespace coldstart
