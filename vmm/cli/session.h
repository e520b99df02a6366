// One machine under the control of this process's flags, signals, keys and control socket, from
// here to its end: what `run`, `serve` and `firecracker` have in common.
#pragma once

#include "api/command/request.h"
#include "api/json/metadata_store.h"
#include "vmm/base/error.h"
#include "vmm/runtime/virtual_machine.h"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace coldstart {

/// Where clients find the control socket.
struct ApiOptions {
    std::string socket_path;
    std::optional<int> socket_fd;   ///< already listening; goes before the path
    bool socket_by_systemd = false; ///< take the one that LISTEN_FDS passes, if it does
    std::size_t max_body_bytes = 51200;
    std::optional<int> ready_fd; ///< gets "READY=1\n" when clients can connect, and is closed

    bool wanted() const noexcept { return !socket_path.empty() || socket_fd || socket_by_systemd; }
};

struct SessionOptions {
    VmConfig config; ///< what the machine is before any request
    /// Carried out before anything else: sections of a configuration file.
    std::vector<Request> requests;
    ApiOptions api;
    std::string metadata_path;    ///< JSON for the guest's metadata service; empty: none
    std::string events_path = {}; ///< gets each event as a line of JSON; empty: none
    std::size_t metadata_limit_bytes = MetadataStore::default_limit_bytes;
    bool start_at_once = true;
    bool read_stdin = true;
    bool display_on_terminal = false; ///< the display and the keyboard, instead of a console
    /// The first SIGTERM, SIGINT or SIGHUP presses the power button; else it ends the machine.
    bool signals_press_button = true;
    /// The process's exit status for an end of the machine; says on stderr what is to be said.
    std::function<int(const RunEnd&)> exit_status;
};

/// A request of SessionOptions::requests was refused.
class ConfigurationRefused : public Error {
  public:
    explicit ConfigurationRefused(const Error& error) : Error(error) {}
};

/// Runs until the machine has ended; its exit status. Throws Error when the machine, or the socket,
/// can't be had.
int run_session(SessionOptions options);

/// What can be said of an end in one word: "powered off", "crashed", ...
std::string_view end_name(EndReason reason) noexcept;

} // namespace coldstart
