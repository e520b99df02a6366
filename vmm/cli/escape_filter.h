// The keys of the console that coldstart takes for itself: Ctrl-A and one more, as QEMU has it.
//  Ctrl-A x       quit
//  Ctrl-A p       pause, and go on
//  Ctrl-A h, ?    help
//  Ctrl-A Ctrl-A  a Ctrl-A for the guest
// Anything else after Ctrl-A is dropped together with it.
// Threads: one at a time.
#pragma once

#include "vmm/base/bytes.h"

#include <string_view>
#include <vector>

namespace coldstart {

enum class EscapeAction { quit, help, pause };

class EscapeFilter {
  public:
    struct Result {
        std::vector<std::byte> for_guest;
        std::vector<EscapeAction> actions; ///< in the order of the keys
    };

    /// What arrives may be cut anywhere, also between Ctrl-A and its key.
    Result feed(ByteView typed);

  private:
    bool escaped_ = false; ///< Ctrl-A was the last byte
};

/// What Ctrl-A h shows, on stderr; its lines end in CR LF, for a raw terminal.
std::string_view escape_help() noexcept;

} // namespace coldstart
