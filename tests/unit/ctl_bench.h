// coldstart ctl in front of a scripted server, with its output caught.
#pragma once

#include "tests/fakes/http_peer.h"
#include "vmm/base/error.h"
#include "vmm/cli/args.h"
#include "vmm/cli/ctl/session.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>

namespace coldstart::fakes {

/// A file in memory that stands for stdout or stderr.
class Captured {
  public:
    Captured() : fd_(::memfd_create("captured", MFD_CLOEXEC)) {}
    int fd() const { return fd_.get(); }
    std::string text() const {
        std::string text;
        char bytes[4096];
        off_t at = 0;
        for (ssize_t count = 0; (count = ::pread(fd(), bytes, sizeof bytes, at)) > 0; at += count)
            text.append(bytes, static_cast<std::size_t>(count));
        return text;
    }

  private:
    UniqueFd fd_;
};

struct Pipe {
    Pipe() {
        int ends[2] = {-1, -1};
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        out.reset(ends[0]);
        in.reset(ends[1]);
    }
    void write(std::string_view text) { write_fully(in.get(), text, "pipe"); }
    UniqueFd out, in;
};

/// A machine behind a socket, and coldstart ctl in front of it.
struct CtlBench {
    /// The exit status; what was thrown becomes `fault`, with the status that front.cpp makes of it.
    int run(std::vector<std::string_view> arguments) {
        const std::string path = server.path();
        arguments.insert(arguments.begin(), {"ctl", "--api-sock", path});
        out = std::make_unique<Captured>();
        err = std::make_unique<Captured>();
        fault.clear();
        try {
            const Command command = parse_command_line(arguments);
            return run_ctl(std::get<CtlCommand>(command), {in, out->fd(), err->fd()});
        } catch (const Error& error) {
            fault = error.what();
            return error.kind() == ErrorKind::usage ? 2 : 1;
        }
    }
    std::string output() const { return out->text(); }
    /// Answers are by method and target; what is not there is a 204.
    void answers(std::vector<std::pair<std::string, HttpAnswer>> table) {
        server.handler.script = [table = std::move(table)](const HttpRequest& request) {
            for (const auto& [line, answer] : table) {
                if (line == cat(request.method, ' ', request.target))
                    return answer;
            }
            return HttpAnswer{};
        };
    }
    HttpRequest asked(std::size_t index = 0) { return server.handler.request(index); }

    TestServer server;
    std::unique_ptr<Captured> out, err;
    std::string fault;
    int in = -1;
};

} // namespace coldstart::fakes
