// What a terminal sends when keys are typed, as the strokes of a PC keyboard that have the same
// meaning there.
// Source: ECMA-48, 5th edition, section 5.4 (control sequences); the keys of xterm (its "PC-style
// function keys", modifiers as in CSI 1;5A) and of the Linux console (CSI [ A).
//
// Escape is also how other keys begin: it is a key of its own when nothing follows until settle().
// Characters that a US keyboard does not have, and sequences that are no key, are dropped.
// Threads: one at a time.
#pragma once

#include "devices/i8042/key_code.h"
#include "vmm/base/bytes.h"

#include <string>
#include <vector>

namespace coldstart {

/// Keys pressed and let go, all or none of which are sent.
using KeyStroke = std::vector<KeyEvent>;

class TypedKeys {
  public:
    /// What arrives may be cut anywhere.
    std::vector<KeyStroke> feed(ByteView typed);
    /// Nothing came for a while: an escape that waits for more was the key.
    std::vector<KeyStroke> settle();
    bool waits() const noexcept { return !sequence_.empty(); }

  private:
    void take(char byte, std::vector<KeyStroke>& strokes);
    void go_on(char byte, std::vector<KeyStroke>& strokes);

    std::string sequence_; ///< from its escape on; empty: none has begun
};

} // namespace coldstart
