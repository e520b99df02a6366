// The verbs that ask for or change one thing, and are done when it is answered.
#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/cli/ctl/format.h"
#include "vmm/cli/ctl/json_cells.h"
#include "vmm/cli/ctl/session.h"
#include "vmm/cli/ctl/verb_table.h"
#include "vmm/cli/front.h"

#include <cstring>
#include <filesystem>
#include <limits>

namespace coldstart::ctl {
namespace {

constexpr int done = exit_status::powered_off;

struct Act {
    std::string_view verb, method, target, field, value;
};

constexpr Act acts[] = {
    {"start", "PUT", "/actions", "action_type", "InstanceStart"},
    {"pause", "PATCH", "/vm", "state", "Paused"},
    {"resume", "PATCH", "/vm", "state", "Resumed"},
    {"stop", "PUT", "/actions", "action_type", "Stop"},
    {"power-button", "PUT", "/actions", "action_type", "PowerButton"},
    {"reset", "PUT", "/actions", "action_type", "Reset"},
    {"ctrl-alt-del", "PUT", "/actions", "action_type", "SendCtrlAltDel"},
};

/// Throws Error when there is no such drive, saying which there are.
Json find_drive(const Json& config, const std::string& id) {
    std::string known;
    if (const Json* const drives = member(config, "drives")) {
        for (const Json& drive : *drives) {
            if (cell(drive, "drive_id") == id)
                return drive;
            add_item(known, cell(drive, "drive_id"));
        }
    }
    throw Error(cat("drive ", printable(id), ": the machine has no such drive"),
                known.empty() ? "it has none" : cat("it has: ", known));
}

/// The path as the machine sees it, which may run in another folder.
std::string absolute(const std::string& path) {
    std::error_code failed;
    const auto result = std::filesystem::absolute(path, failed);
    if (failed)
        throw Error(cat("--path ", printable(path, 200), ": ", failed.message()),
                    "give the whole path");
    return result.string();
}

} // namespace

int act(CtlSession& session) {
    for (const Act& act : acts) {
        if (act.verb == session.command().verb)
            session.tell(act.method, act.target, {{act.field, act.value}});
    }
    return done;
}

int info(CtlSession& session) {
    Json instance = session.get("/");
    Json config = session.get("/vm/config");
    if (session.command().json) {
        instance["config"] = std::move(config);
        session.print_json(instance);
    } else {
        session.print(info_text(instance, config));
    }
    return done;
}

int config(CtlSession& session) {
    const Json config = session.get("/vm/config");
    session.print(json_text(config, session.command().json ? -1 : 2) + '\n');
    return done;
}

int version(CtlSession& session) {
    const Json version = session.get("/version");
    if (session.command().json)
        session.print_json(version);
    else
        session.print(cat("Firecracker API ", cell(version, "firecracker_version"), '\n'));
    return done;
}

int drive(CtlSession& session) {
    const std::string& id = session.command().arguments.front();
    if (!session.command().path.empty()) {
        // The id is part of the path of the request: what it may be is for the machine to say.
        for (const char sign : id) {
            if (sign <= ' ' || sign >= 0x7f || std::strchr("/?#%", sign) != nullptr)
                throw UsageError(cat("drive ", printable(id), ": no drive has such an id"));
        }
        session.tell("PATCH", cat("/drives/", id),
                     {{"drive_id", id}, {"path_on_host", absolute(session.command().path)}});
        return done;
    }
    const Json drive = find_drive(session.get("/vm/config"), id);
    if (session.command().json)
        session.print_json(drive);
    else
        session.print(drive_text(drive));
    return done;
}

int balloon(CtlSession& session) {
    if (!session.command().arguments.empty()) {
        const std::string& given = session.command().arguments.front();
        const auto mib = parse_decimal(given);
        if (!mib || *mib > std::numeric_limits<std::uint32_t>::max())
            throw UsageError(cat("balloon ", printable(given, 60), ": not a size in MiB"),
                             "write a whole number, such as 64");
        session.tell("PATCH", "/balloon", {{"amount_mib", *mib}});
        return done;
    }
    Json balloon = session.get("/balloon");
    // Before the start, and from a balloon without statistics, there are none.
    const HttpAnswer answer = session.client().request("GET", "/balloon/statistics");
    Json statistics = nullptr;
    if (answer.status == 200)
        statistics = Json::parse(answer.body, nullptr, false);
    if (session.command().json) {
        if (statistics.is_object())
            balloon["statistics"] = std::move(statistics);
        session.print_json(balloon);
    } else {
        session.print(balloon_text(balloon, statistics));
    }
    return done;
}

int mmds(CtlSession& session) {
    if (!session.command().arguments.empty()) {
        session.ask("PUT", "/mmds",
                    read_input(session.command().arguments.front(), session.streams().in));
        return done;
    }
    const Json metadata = session.get("/mmds");
    session.print(json_text(metadata, session.command().json ? -1 : 2) + '\n');
    return done;
}

} // namespace coldstart::ctl
