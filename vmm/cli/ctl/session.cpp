#include "vmm/cli/ctl/session.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/base/unique_fd.h"
#include "vmm/cli/ctl/verb_table.h"

#include <array>
#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace coldstart {
namespace {

constexpr std::size_t max_input_bytes = 64u << 20;
constexpr std::size_t max_fault_chars = 4000;

std::string socket_of(const CtlCommand& command) {
    if (!command.socket_path.empty())
        return command.socket_path;
    const char* const given = std::getenv(ctl_socket_variable);
    return given != nullptr && *given != '\0' ? given : std::string(default_ctl_socket);
}

} // namespace

CtlSession::CtlSession(const CtlCommand& command, const CtlStreams& streams)
    : command_(command), streams_(streams), socket_path_(socket_of(command)),
      client_(socket_path_) {}

void check_answer(const HttpAnswer& answer) {
    if (answer.status < 400)
        return;
    const Json body = Json::parse(answer.body, nullptr, false);
    const auto fault = body.is_object() ? body.find("fault_message") : body.end();
    if (body.is_object() && fault != body.end() && fault->is_string())
        throw Error(printable(fault->get<std::string>(), max_fault_chars));
    throw Error(cat("the machine refuses with HTTP status ", answer.status, ": ",
                    printable(answer.body, max_fault_chars)));
}

HttpAnswer CtlSession::ask(std::string_view method, std::string_view target, std::string_view body,
                           std::string_view accept) const {
    HttpAnswer answer = client_.request(method, target, body, accept);
    check_answer(answer);
    return answer;
}

Json CtlSession::get(std::string_view target) const {
    const HttpAnswer answer = ask("GET", target);
    try {
        return parse_json(answer.body);
    } catch (const Error& error) {
        throw Error(cat("GET ", target, ": the answer is no JSON: ", error.what()),
                    "check that the path is the control socket of a coldstart machine");
    }
}

void CtlSession::tell(std::string_view method, std::string_view target, const Json& body) const {
    ask(method, target, json_text(body));
}

void CtlSession::print(std::string_view text) const {
    write_fully(streams_.out, text, "standard output");
}

void CtlSession::print_json(const Json& json) const {
    print(json_text(json) + '\n');
}

void CtlSession::remark(std::string_view line) const noexcept {
    try {
        write_fully(streams_.err, cat("coldstart: ", line, '\n'), "standard error");
    } catch (const std::exception&) {
        return; // nowhere is left to say it
    }
}

std::string json_text(const Json& json, int indent) {
    return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string read_input(const std::string& name, int in) {
    UniqueFd file;
    if (name != "-") {
        file.reset(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
        if (!file)
            throw system_error(printable(name, 200), errno, "give a file that can be read");
    }
    std::string text;
    std::array<char, 65536> bytes;
    for (;;) {
        const ssize_t count = ::read(file ? file.get() : in, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            throw system_error(name == "-" ? "standard input" : printable(name, 200), errno);
        if (count == 0)
            return text;
        text.append(bytes.data(), static_cast<std::size_t>(count));
        if (text.size() > max_input_bytes)
            throw Error(cat(printable(name, 200), ": more than ", max_input_bytes >> 20, " MiB"),
                        "no request takes as much; give another file");
    }
}

void write_fully(int fd, std::string_view text, const std::string& what) {
    while (!text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written >= 0) {
            text.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno == EAGAIN) { // somebody else's file description, set non-blocking
            pollfd writable{fd, POLLOUT, 0};
            ::poll(&writable, 1, -1);
        } else if (errno != EINTR) {
            throw system_error(what, errno);
        }
    }
}

int run_ctl(const CtlCommand& command, const CtlStreams& streams) {
    CtlSession session(command, streams);
    return find_ctl_verb(command.verb)->work(session);
}

} // namespace coldstart
