// coldstart ctl: one request to the machine behind a control socket, and its answer for people or,
// with --json, for programs; or one of the socket's streams for as long as it lasts.
// The verbs stand in verb_table.h; who talks to the socket is api/http/http_client.h.
// Missing: several requests over one connection.
// Threads: one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coldstart {

inline constexpr std::string_view default_ctl_socket = "/run/coldstart.socket";
inline constexpr const char* ctl_socket_variable = "COLDSTART_API_SOCK";

struct CtlCommand {
    std::string socket_path; ///< empty: what the environment says, or the default
    bool json = false;
    std::string verb;
    std::vector<std::string> arguments; ///< of the verb, as many as it takes
    bool text = false;                  ///< screen: the characters, not a picture
    std::string path;                   ///< drive: the file that is to be behind it; empty: none
    std::optional<double> timeout_s;    ///< wait: for how long
    std::optional<double> linger_s;     ///< console: see the flag
};

/// Descriptors, so that tests can look on.
struct CtlStreams {
    int in = 0;
    int out = 1;
    int err = 2;
};

/// The exit status: 0, or 124 when the time ran out. Throws Error when the machine refuses or can't
/// be reached, UsageError for what only turns out to be wrong now.
int run_ctl(const CtlCommand& command, const CtlStreams& streams = {});

} // namespace coldstart
