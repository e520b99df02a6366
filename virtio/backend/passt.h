// Starts passt, which connects a guest to the host's network without any privilege: it speaks
// frames with the guest and ordinary sockets with the host.
// Source: passt(1).
//
// passt gets one end of a socket pair and ends when the other is closed: with this process,
// however that ends. It goes to the background itself once it is set up, and says before what it
// does not like.
#pragma once

#include "vmm/base/unique_fd.h"

#include <cstdint>
#include <string>
#include <vector>

namespace coldstart {

struct PasstForward {
    bool udp = false; ///< else TCP
    std::uint16_t host_port = 0;
    std::uint16_t guest_port = 0;
};

struct PasstOptions {
    std::string program = "passt"; ///< looked for in PATH
    std::vector<PasstForward> forwards;
};

/// The end of the pair that speaks frames, for StreamNetBackend. Throws Error when passt is not
/// installed, a port is taken, or it does not start.
UniqueFd start_passt(const PasstOptions& options);

} // namespace coldstart
