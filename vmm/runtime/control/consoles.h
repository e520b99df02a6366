// The streams behind a machine's consoles, as its configuration asks for them.
// Threads: made and destroyed while the reactor's thread does not run.
#pragma once

#include "api/command/vm_config.h"
#include "vmm/base/byte_stream.h"
#include "vmm/base/reactor.h"
#include "vmm/runtime/control/console_hub.h"
#include "vmm/runtime/io_loop/machine_clock.h"
#include "vmm/runtime/streams/limited_stream.h"
#include "vmm/runtime/streams/streams.h"

#include <map>
#include <memory>
#include <string>

namespace coldstart {

struct ConsoleOptions {
    bool read_stdin = true; ///< else what is typed comes from clients alone
    /// Of what is typed on a terminal; none: all of it is for the guest.
    InputFilter filter = {};
    /// A serial file as clients of Firecracker have it: see open_kept_file_stream. Otherwise it is
    /// emptied first.
    bool keep_serial_file = false;
};

class Consoles {
  public:
    /// Throws Error when a file, socket or terminal can't be had.
    Consoles(Reactor& reactor, const VmConfig& config, ConsoleOptions options);

    std::map<std::string, ByteStream*, std::less<>> by_name();
    /// The console that clients follow; nullptr when the machine has none.
    ConsoleHub* hub() const noexcept { return hub_.get(); }
    /// What the limit of COM1 has dropped. Any thread.
    std::uint64_t dropped_bytes() const noexcept {
        return limited_ != nullptr ? limited_->dropped_bytes() : 0;
    }

    /// Whether one of the machine's consoles is this process's terminal.
    static bool use_terminal(const VmConfig& config) noexcept;

  private:
    std::unique_ptr<ByteStream> open_terminal(Reactor& reactor, ConsoleOptions options);

    std::unique_ptr<ByteStream> limit(std::unique_ptr<ByteStream> stream,
                                      const SerialConfig& serial);

    MachineClock clock_; ///< the host's: a limit lets go also while the guest is paused
    std::unique_ptr<ByteStream> terminal_, com1_, debugcon_;
    const LimitedStream* limited_ = nullptr; ///< one of them
    NullStream nobody_;
    std::unique_ptr<ConsoleHub> hub_; ///< in front of terminal_ or com1_
};

} // namespace coldstart
