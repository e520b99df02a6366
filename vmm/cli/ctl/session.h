// What a verb of `coldstart ctl` works with: the command, the socket, and where output goes.
#pragma once

#include "api/http/http_client.h"
#include "api/json/json_reader.h"
#include "vmm/cli/ctl/ctl.h"

#include <chrono>
#include <string>
#include <string_view>

namespace coldstart {

class CtlSession {
  public:
    CtlSession(const CtlCommand& command, const CtlStreams& streams);

    const CtlCommand& command() const noexcept { return command_; }
    const CtlStreams& streams() const noexcept { return streams_; }
    const HttpClient& client() const noexcept { return client_; }
    const std::string& socket_path() const noexcept { return socket_path_; }

    /// The answer; throws Error with the machine's own words when it refuses.
    HttpAnswer ask(std::string_view method, std::string_view target, std::string_view body = {},
                   std::string_view accept = "application/json") const;
    /// The answer to a GET.
    Json get(std::string_view target) const;
    /// A request that is answered by doing it.
    void tell(std::string_view method, std::string_view target, const Json& body) const;

    /// To stdout, at once. Throws Error when it can't be written.
    void print(std::string_view text) const;
    void print_json(const Json& json) const;
    /// A line of ours on stderr.
    void remark(std::string_view line) const noexcept;

  private:
    const CtlCommand& command_;
    const CtlStreams streams_;
    const std::string socket_path_;
    const HttpClient client_;
};

/// Throws Error when the answer is a refusal.
void check_answer(const HttpAnswer& answer);

/// One line, or with `indent` above 0 several; bytes that are no UTF-8 are replaced.
std::string json_text(const Json& json, int indent = -1);

/// Whole: `name` is a path, or "-" for descriptor `in`. Throws Error, also for unreasonable sizes.
std::string read_input(const std::string& name, int in);

/// Writes all of it to a descriptor. Throws Error naming `what`.
void write_fully(int fd, std::string_view text, const std::string& what);

} // namespace coldstart
