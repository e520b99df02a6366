// The keys of the console that coldstart takes for itself: Ctrl-A and one more, as QEMU has it.
//  Ctrl-A x       quit
//  Ctrl-A p       pause, and go on
//  Ctrl-A h, ?    help
//  Ctrl-A Ctrl-A  a Ctrl-A for the guest
// and, where the terminal is the guest's display,
//  Ctrl-A d       Ctrl-Alt-Del
//  Ctrl-A l       draw the screen again
// Anything else after Ctrl-A is dropped together with it.
// Threads: one at a time.
#pragma once

#include "vmm/base/bytes.h"

#include <string_view>
#include <vector>

namespace coldstart {

enum class EscapeAction { quit, help, pause, ctrl_alt_delete, redraw };

class EscapeFilter {
  public:
    struct Result {
        std::vector<std::byte> for_guest;
        std::vector<EscapeAction> actions; ///< in the order of the keys
    };

    /// What the terminal is to the guest.
    enum class Place { console, display };

    explicit EscapeFilter(Place place = Place::console) noexcept : place_(place) {}

    /// What arrives may be cut anywhere, also between Ctrl-A and its key.
    Result feed(ByteView typed);

  private:
    Place place_;
    bool escaped_ = false; ///< Ctrl-A was the last byte
};

/// What Ctrl-A h shows, on stderr; its lines end in CR LF, for a raw terminal.
std::string_view escape_help() noexcept;
/// The same of a display.
std::string_view display_help() noexcept;

} // namespace coldstart
