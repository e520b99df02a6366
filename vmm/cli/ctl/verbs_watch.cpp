// The verbs that look on: what happened, what happens, and what there is to see.
#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/base/unique_fd.h"
#include "vmm/cli/ctl/format.h"
#include "vmm/cli/ctl/json_cells.h"
#include "vmm/cli/ctl/session.h"
#include "vmm/cli/ctl/verb_table.h"
#include "vmm/cli/front.h"
#include "vmm/runtime/events/machine_event.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>

#include <fcntl.h>
#include <unistd.h>

namespace coldstart::ctl {
namespace {

constexpr int done = exit_status::powered_off;

using Steady = std::chrono::steady_clock;

/// Ends a stream when the time has come.
class Deadline final : public StreamCompanion {
  public:
    explicit Deadline(std::optional<double> seconds) {
        // More than a year is for ever, and no overflow.
        if (seconds && *seconds < 3e7)
            end_ = Steady::now() + std::chrono::duration_cast<Steady::duration>(
                                       std::chrono::duration<double>(*seconds));
    }
    int fd() const override { return -1; }
    std::optional<TimePoint> wake_at() const override { return end_; }
    bool woken(bool) override { return false; }
    bool passed() const { return end_ && Steady::now() >= *end_; }
    /// For the answer's head, which has its own limit.
    std::chrono::milliseconds left(std::chrono::milliseconds at_most) const {
        if (!end_)
            return at_most;
        return std::min(at_most,
                        std::chrono::ceil<std::chrono::milliseconds>(*end_ - Steady::now()));
    }

  private:
    std::optional<TimePoint> end_;
};

std::string event_names() {
    std::string names;
    for (auto kind = EventKind::created; kind <= EventKind::lost;
         kind = static_cast<EventKind>(static_cast<int>(kind) + 1))
        add_item(names, event_name(kind));
    return names;
}

void check_event_name(std::string_view name) {
    for (auto kind = EventKind::created; kind <= EventKind::lost;
         kind = static_cast<EventKind>(static_cast<int>(kind) + 1)) {
        if (event_name(kind) == name)
            return;
    }
    throw UsageError(cat("wait ", printable(name, 60), ": unknown event"),
                     "accepted: " + event_names());
}

/// The last event, or what the stream says at its end when we were too slow for it.
bool is_last(const Json& event) {
    return cell(event, "event") == "exited";
}

void check_not_dropped(const Json& event) {
    if (member(event, "fault_message") != nullptr)
        throw Error(cat("events: ", cell(event, "fault_message")));
}

/// A file that is there whole or not at all.
void write_file(const std::string& path, std::string_view bytes) {
    const std::string draft = cat(path, '.', ::getpid(), ".tmp");
    UniqueFd file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    constexpr const char* remedy = "give a path that can be written";
    if (!file)
        throw system_error(printable(path, 200), errno, remedy);
    try {
        write_fully(file.get(), bytes, printable(path, 200));
        if (::rename(draft.c_str(), path.c_str()) != 0)
            throw system_error(printable(path, 200), errno, remedy);
    } catch (...) {
        ::unlink(draft.c_str());
        throw;
    }
}

} // namespace

int events(CtlSession& session) {
    check_answer(session.client().stream("/events", [&](std::string_view line) {
        const Json event = Json::parse(line, nullptr, false);
        check_not_dropped(event);
        session.print(session.command().json ? cat(line, '\n') : event_text(event) + '\n');
        return !is_last(event);
    }));
    return done;
}

int wait(CtlSession& session) {
    const std::string& name = session.command().arguments.front();
    check_event_name(name);
    Deadline deadline(session.command().timeout_s);
    bool come = false;
    std::string last;
    const auto take = [&](std::string_view line) {
        const Json event = Json::parse(line, nullptr, false);
        check_not_dropped(event);
        come = cell(event, "event") == name;
        if (come && session.command().json)
            session.print(cat(line, '\n'));
        if (is_last(event))
            last = cat("it exited with status ", cell(event, "status"), ": ", cell(event, "text"));
        return !come && last.empty();
    };
    const HttpClient client(session.socket_path(), deadline.left(std::chrono::seconds(30)));
    try {
        check_answer(client.stream("/events", take, &deadline));
    } catch (const Error&) {
        if (!deadline.passed())
            throw;
    }
    if (come)
        return done;
    if (last.empty() && deadline.passed()) {
        session.remark(cat("error: wait ", name, ": it has not come within ",
                           *session.command().timeout_s, " s"));
        return exit_status::timed_out;
    }
    throw Error(cat("wait ", name, ": the machine has ended without it"), last);
}

int timeline(CtlSession& session) {
    const Json timeline = session.get("/timeline");
    if (session.command().json || !timeline.is_array())
        session.print_json(timeline);
    else
        session.print(timeline_text(timeline));
    return done;
}

int metrics(CtlSession& session) {
    const HttpAnswer answer = session.ask("GET", "/metrics", {}, "text/plain");
    if (session.command().json)
        session.print_json(metrics_json(answer.body));
    else
        session.print(metrics_text(answer.body));
    return done;
}

int screen(CtlSession& session) {
    const CtlCommand& command = session.command();
    if (command.text) {
        const std::string text = session.ask("GET", "/screen", {}, "text/plain").body;
        session.print(command.json ? json_text({{"text", text}}) + '\n' : text);
        return done;
    }
    const bool to_file = !command.arguments.empty();
    if (!to_file && ::isatty(session.streams().out) != 0)
        throw UsageError("screen: a picture is nothing for a terminal",
                         "name a file, FILE.png, or add --text for the characters");
    const HttpAnswer picture = session.ask("GET", "/screen", {}, "image/png");
    if (to_file)
        write_file(command.arguments.front(), picture.body);
    else
        session.print(picture.body);
    return done;
}

} // namespace coldstart::ctl
