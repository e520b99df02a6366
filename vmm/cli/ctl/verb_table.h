// The verbs of `coldstart ctl`, from which come parsing, help, completion and who does the work.
// A new verb is a line here and a function in one of the verbs_*.cpp.
#pragma once

#include "vmm/cli/flag_table.h"

#include <cstddef>
#include <string_view>

namespace coldstart {

class CtlSession;

/// Does what the verb says; the exit status.
using CtlWork = int (*)(CtlSession&);

namespace ctl {
int act(CtlSession&);
int info(CtlSession&);
int config(CtlSession&);
int version(CtlSession&);
int drive(CtlSession&);
int balloon(CtlSession&);
int mmds(CtlSession&);
int console(CtlSession&);
int screen(CtlSession&);
int events(CtlSession&);
int wait(CtlSession&);
int timeline(CtlSession&);
int metrics(CtlSession&);
int get(CtlSession&);
int change(CtlSession&);
} // namespace ctl

struct CtlVerb {
    OperandSpec spec;
    std::size_t min_arguments = 0;
    std::size_t max_arguments = 0;
    std::string_view flags = {}; ///< that go with it, besides --api-sock and --json
    CtlWork work = nullptr;

    constexpr std::string_view name() const { return spec.usage.substr(0, spec.usage.find(' ')); }
};

inline constexpr CtlVerb ctl_verbs[] = {
    {{"start", "start the machine that was configured"}, 0, 0, "", ctl::act},
    {{"pause", "let the guest and its clock stand still"}, 0, 0, "", ctl::act},
    {{"resume", "let it go on"}, 0, 0, "", ctl::act},
    {{"stop", "end the machine at once"}, 0, 0, "", ctl::act},
    {{"power-button", "ask the guest to power off"}, 0, 0, "", ctl::act},
    {{"reset", "start the guest again, as by the reset button"}, 0, 0, "", ctl::act},
    {{"ctrl-alt-del", "press these keys, on which Linux shuts down"}, 0, 0, "", ctl::act},
    {{"info", "what machine this is, and in what state"}, 0, 0, "", ctl::info},
    {{"config", "its whole configuration, as a configuration file has it"}, 0, 0, "", ctl::config},
    {{"console", "attach to the serial console; Ctrl-A x detaches"},
     0,
     0,
     "--linger",
     ctl::console},
    {{"screen [FILE.png]", "a picture of the display, to the file or to stdout; with --text its "
                           "characters, to stdout"},
     0,
     1,
     "--text",
     ctl::screen},
    {{"events", "what happened and what happens, a line each, until the machine has exited"},
     0,
     0,
     "",
     ctl::events},
    {{"wait EVENT", "until an event of this name has come: ready, exited, ..."},
     1,
     1,
     "--timeout",
     ctl::wait},
    {{"timeline", "what happened so far, and how long each step took"}, 0, 0, "", ctl::timeline},
    {{"metrics", "counters of the machine and of the requests to it"}, 0, 0, "", ctl::metrics},
    {{"drive ID", "one drive; with --path another file is put behind it"},
     1,
     1,
     "--path",
     ctl::drive},
    {{"balloon [MIB]", "how much memory the balloon takes; with MIB how much it shall take"},
     0,
     1,
     "",
     ctl::balloon},
    {{"mmds [FILE|-]", "what the guest's metadata service shows; with FILE what it shall show"},
     0,
     1,
     "",
     ctl::mmds},
    {{"get PATH", "any GET request: its answer"}, 1, 1, "", ctl::get},
    {{"put PATH [JSON|@FILE|-]", "any PUT request; - is standard input"}, 1, 2, "", ctl::change},
    {{"patch PATH [JSON|@FILE|-]", "any PATCH request"}, 1, 2, "", ctl::change},
    {{"delete PATH", "any DELETE request"}, 1, 1, "", ctl::change},
    {{"version", "the version of the API the machine speaks"}, 0, 0, "", ctl::version},
};

/// nullptr when there is none.
constexpr const CtlVerb* find_ctl_verb(std::string_view name) {
    for (const CtlVerb& verb : ctl_verbs) {
        if (verb.name() == name)
            return &verb;
    }
    return nullptr;
}

} // namespace coldstart
