#include "vmm/base/error.h"
#include "vmm/cli/args.h"
#include "vmm/cli/completion.h"
#include "vmm/cli/ctl/verb_table.h"
#include "vmm/cli/help.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace coldstart;
using Catch::Contains;
using Catch::StartsWith;

namespace {

using Args = std::vector<std::string_view>;

CtlCommand parsed(Args more) {
    more.insert(more.begin(), "ctl");
    return std::get<CtlCommand>(parse_command_line(more));
}

std::string refusal(Args more) {
    try {
        parsed(more);
    } catch (const UsageError& error) {
        return error.what();
    }
    return "(accepted)";
}

} // namespace

TEST_CASE("ctl: a verb, its arguments and flags in any order", "[ctl]") {
    const CtlCommand info = parsed({"info"});
    CHECK(info.verb == "info");
    CHECK(info.arguments.empty());
    CHECK(info.socket_path.empty());
    CHECK_FALSE(info.json);
    CHECK_FALSE(info.timeout_s);

    const CtlCommand put = parsed({"--api-sock=s", "put", "/mmds", "--json", "{\"a\": 1}"});
    CHECK(put.verb == "put");
    CHECK(put.arguments == std::vector<std::string>{"/mmds", "{\"a\": 1}"});
    CHECK(put.socket_path == "s");
    CHECK(put.json);

    CHECK(parsed({"wait", "ready", "--timeout", "2.5"}).timeout_s == 2.5);
    CHECK(parsed({"drive", "root", "--path", "b.img"}).path == "b.img");
    CHECK(parsed({"screen", "--text"}).text);
    CHECK(parsed({"console", "--linger=3"}).linger_s == 3.0);
    CHECK(parsed({"mmds", "-"}).arguments.at(0) == "-");
    CHECK(parsed({"put", "/x", "--", "-1"}).arguments.at(1) == "-1");
}

TEST_CASE("ctl: what is missing, too much or unknown is said", "[ctl]") {
    CHECK_THAT(refusal({}), Contains("VERB") && Contains("missing"));
    CHECK_THAT(refusal({"jump"}),
               StartsWith("ctl jump: unknown value") && Contains("power-button"));
    CHECK_THAT(refusal({"wait"}), Contains("write coldstart ctl wait EVENT"));
    CHECK_THAT(refusal({"start", "now"}), Contains("unexpected argument 'now'"));
    CHECK_THAT(refusal({"put", "/a", "{}", "{}"}), Contains("unexpected argument '{}'"));
    CHECK_THAT(refusal({"info", "--text"}), Contains("ctl info: does not take --text"));
    CHECK_THAT(refusal({"info", "--path", "f"}), Contains("does not take --path"));
    CHECK_THAT(refusal({"info", "--timeout", "1"}), Contains("does not take --timeout"));
    CHECK_THAT(refusal({"wait", "ready", "--linger", "1"}), Contains("does not take --linger"));
    CHECK_THAT(refusal({"screen", "a.png", "--text"}), Contains("leave out --text or the file"));
    CHECK_THAT(refusal({"wait", "ready", "--timeout", "-1"}), Contains("--timeout"));
    CHECK_THAT(refusal({"--jsn", "info"}), Contains("did you mean --json?"));
    CHECK_THAT(refusal({"info"}), StartsWith("(accepted)"));
}

TEST_CASE("ctl: every verb is accepted, helped with and completed", "[ctl]") {
    const std::string help = help_text("ctl"), completion = completion_script(Shell::bash);
    CHECK_THAT(help, Contains("Usage: coldstart ctl [FLAGS] VERB [ARG...]"));
    CHECK_THAT(help, Contains("COLDSTART_API_SOCK") && Contains("/run/coldstart.socket"));
    for (const CtlVerb& verb : ctl_verbs) {
        CAPTURE(verb.name());
        Args args{verb.name()};
        args.resize(1 + verb.min_arguments, "x");
        CHECK(parsed(args).verb == verb.name());
        CHECK(verb.work != nullptr);
        CHECK_THAT(help, Contains("\n  " + std::string(verb.spec.usage)));
        CHECK_THAT(completion, Contains(std::string(verb.name())));
    }
    CHECK_THAT(help_text(""), Contains("ctl "));
}
