// Any request, for what has no verb of its own.
#include "api/http/api_routes.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/cli/ctl/session.h"
#include "vmm/cli/ctl/verb_table.h"
#include "vmm/cli/front.h"

#include <algorithm>

namespace coldstart::ctl {
namespace {

std::string target_of(const CtlSession& session) {
    const std::string& given = session.command().arguments.front();
    const bool sendable = std::all_of(given.begin(), given.end(),
                                      [](char sign) { return sign > ' ' && sign < 0x7f; });
    if (!sendable)
        throw UsageError(cat(session.command().verb, ' ', printable(given, 60),
                             ": a path has no spaces and no characters outside ASCII"));
    return given.starts_with('/') ? given : '/' + given;
}

std::string body_of(const CtlSession& session) {
    const auto& arguments = session.command().arguments;
    if (arguments.size() < 2)
        return {};
    const std::string& given = arguments[1];
    if (given == "-" || given.starts_with('@'))
        return read_input(given == "-" ? given : given.substr(1), session.streams().in);
    return given;
}

void print_body(CtlSession& session, const HttpAnswer& answer) {
    if (answer.status == 204 || answer.body.empty())
        return;
    const Json json = answer.content_type.starts_with("application/json")
                          ? Json::parse(answer.body, nullptr, false)
                          : Json(Json::value_t::discarded);
    if (json.is_discarded())
        session.print(answer.body);
    else
        session.print(json_text(json, session.command().json ? -1 : 2) + '\n');
}

} // namespace

int get(CtlSession& session) {
    const std::string target = target_of(session);
    const RouteMatch match = find_route("GET", target);
    if (match.route != nullptr && match.route->kind == RouteKind::stream) {
        check_answer(session.client().stream_bytes(target, [&](std::string_view bytes) {
            session.print(bytes);
            return true;
        }));
    } else {
        print_body(session, session.ask("GET", target, {}, "*/*"));
    }
    return exit_status::powered_off;
}

int change(CtlSession& session) {
    const std::string& verb = session.command().verb;
    const std::string_view method = verb == "put" ? "PUT" : verb == "patch" ? "PATCH" : "DELETE";
    const std::string target = target_of(session);
    print_body(session, session.ask(method, target, body_of(session)));
    return exit_status::powered_off;
}

} // namespace coldstart::ctl
