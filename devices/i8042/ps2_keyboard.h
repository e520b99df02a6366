// A PS/2 keyboard as its controller sees it: a byte in, bytes out. A register core without a lock,
// for the device that owns it.
// Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboard".
//
// Missing: scan code set 3 (refused) and the commands that only it knows; repeating a key that is
// held down: who presses keys repeats, so that none repeats forever when he is gone.
#pragma once

#include "devices/i8042/key_code.h"
#include "vmm/base/state_io.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>

namespace coldstart::i8042 {

class Ps2Keyboard {
  public:
    /// A command or operand of the host.
    void take(std::uint8_t byte) noexcept;

    bool has_byte() const noexcept { return state_.answer_count != 0 || state_.code_count != 0; }
    /// The next byte, answers first; has_byte() must be true.
    std::uint8_t next_byte() noexcept;

    /// False while it does not scan its keys or has no room: nothing happened then.
    bool press(KeyEvent event) noexcept;

    std::uint8_t leds() const noexcept { return state_.leds; }

    void save(StateWriter& writer) const;
    /// Throws Error and changes nothing when the state is impossible.
    void restore(StateReader& reader);

  private:
    static constexpr std::size_t code_room = 16;
    static constexpr std::size_t longest_event = 8; ///< Pause
    static constexpr std::size_t answer_room = 4;

    struct State {
        std::uint8_t command = 0; ///< that waits for its operand; 0: none
        bool scanning = true;
        std::uint8_t code_set = 2;
        std::uint8_t leds = 0;
        std::uint8_t typematic = 0x2b; ///< 10.9 a second after half a second
        std::uint8_t last_sent = 0;
        std::uint8_t answer_count = 0;
        std::array<std::uint8_t, answer_room> answers{};
        std::uint8_t code_count = 0;
        std::array<std::uint8_t, code_room> codes{};
    };

    void command(std::uint8_t byte) noexcept;
    void operand(std::uint8_t byte) noexcept;
    void set_defaults() noexcept;
    void answer(std::initializer_list<std::uint8_t> bytes) noexcept;
    void send_code(std::uint8_t set_2_code, bool down) noexcept;
    void send(std::uint8_t byte) noexcept;

    State state_;
};

/// The set 1 code the 8042 makes of a byte of set 2; of answers, itself.
std::uint8_t translate_to_set_1(std::uint8_t byte) noexcept;

} // namespace coldstart::i8042
