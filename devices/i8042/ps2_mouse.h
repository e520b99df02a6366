// A PS/2 mouse of three buttons as its controller sees it: a byte in, bytes out. A register core
// without a lock, for the device that owns it.
// Source: IBM PS/2 Hardware Interface Technical Reference, "Mouse".
//
// Missing: somebody who moves it or presses a button (its packets say that nothing happened, and
// in stream mode it sends none), wheels and other makers' extensions.
#pragma once

#include "vmm/base/state_io.h"

#include <array>
#include <cstdint>
#include <initializer_list>

namespace coldstart::i8042 {

class Ps2Mouse {
  public:
    /// A command or operand of the host.
    void take(std::uint8_t byte) noexcept;

    bool has_byte() const noexcept { return state_.answer_count != 0; }
    /// The next byte; has_byte() must be true.
    std::uint8_t next_byte() noexcept;

    void save(StateWriter& writer) const;
    /// Throws Error and changes nothing when the state is impossible.
    void restore(StateReader& reader);

  private:
    static constexpr std::size_t answer_room = 4;

    struct State {
        std::uint8_t command = 0; ///< that waits for its operand; 0: none
        bool enabled = false;     ///< sends packets in stream mode
        bool remote = false;      ///< sends them only when asked
        bool wrap = false;        ///< sends back what it gets
        bool doubles = false;     ///< scaling 2:1
        std::uint8_t rate = 100;  ///< packets a second
        std::uint8_t resolution = 2;
        std::uint8_t last_sent = 0;
        std::uint8_t answer_count = 0;
        std::array<std::uint8_t, answer_room> answers{};
    };

    void command(std::uint8_t byte) noexcept;
    void set_defaults() noexcept;
    void answer(std::initializer_list<std::uint8_t> bytes) noexcept;
    std::uint8_t status() const noexcept;

    State state_;
};

} // namespace coldstart::i8042
