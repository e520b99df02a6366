#include "devices/i8042/ps2_keyboard.h"

#include "devices/i8042/spec.h"
#include "vmm/base/error.h"

#include <algorithm>
#include <cassert>

namespace coldstart::i8042 {
namespace {

constexpr std::uint8_t prefix_extended = 0xe0;
constexpr std::uint8_t prefix_pause = 0xe1;
constexpr std::uint8_t set_1_release = 0x80;

constexpr std::array<std::uint8_t, 128> set_1_of_set_2 = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
    0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
    0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
    0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
    0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
    0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
};

} // namespace

std::uint8_t translate_to_set_1(std::uint8_t byte) noexcept {
    if (byte < set_1_of_set_2.size())
        return set_1_of_set_2[byte];
    if (byte == 0x83) // F7
        return 0x41;
    return byte == 0x84 ? std::uint8_t{0x54} : byte; // Alt and SysRq
}

void Ps2Keyboard::take(std::uint8_t byte) noexcept {
    if (state_.command != 0 && byte < first_key_command)
        operand(byte);
    else
        command(byte);
}

void Ps2Keyboard::command(std::uint8_t byte) noexcept {
    state_.command = 0;
    state_.answer_count = 0; // nobody waits for the answer to an earlier command any more
    switch (byte) {
    case key_set_leds:
    case key_code_set:
    case key_typematic:
        state_.command = byte;
        answer({key_acknowledge});
        break;
    case key_echo:
        answer({key_echo});
        break;
    case key_identify:
        answer({key_acknowledge, 0xab, 0x83});
        break;
    case key_enable:
        state_.code_count = 0;
        state_.scanning = true;
        answer({key_acknowledge});
        break;
    case key_default_off:
    case key_default:
        set_defaults();
        state_.scanning = byte == key_default;
        answer({key_acknowledge});
        break;
    case key_resend:
        answer({state_.last_sent});
        break;
    case key_reset:
        set_defaults();
        answer({key_acknowledge, key_self_test_passed});
        break;
    default:
        answer({key_refuse});
        break;
    }
}

void Ps2Keyboard::operand(std::uint8_t byte) noexcept {
    const std::uint8_t command = state_.command;
    state_.command = 0;
    if (command == key_set_leds) {
        state_.leds = byte & 7;
    } else if (command == key_typematic) {
        state_.typematic = byte & 0x7f;
    } else if (byte == 0) {
        answer({key_acknowledge, state_.code_set});
        return;
    } else if (byte > 2) {
        answer({key_refuse});
        return;
    } else {
        state_.code_set = byte;
        state_.code_count = 0;
    }
    answer({key_acknowledge});
}

void Ps2Keyboard::set_defaults() noexcept {
    const std::uint8_t last_sent = state_.last_sent;
    state_ = State{};
    state_.last_sent = last_sent;
}

void Ps2Keyboard::answer(std::initializer_list<std::uint8_t> bytes) noexcept {
    assert(state_.answer_count + bytes.size() <= answer_room);
    for (const std::uint8_t byte : bytes)
        state_.answers[state_.answer_count++] = byte;
}

std::uint8_t Ps2Keyboard::next_byte() noexcept {
    assert(has_byte());
    const auto take_first = [](auto& bytes, std::uint8_t& count) {
        const std::uint8_t first = bytes[0];
        std::rotate(bytes.begin(), bytes.begin() + 1, bytes.end());
        bytes.back() = 0;
        --count;
        return first;
    };
    state_.last_sent = state_.answer_count != 0 ? take_first(state_.answers, state_.answer_count)
                                                : take_first(state_.codes, state_.code_count);
    return state_.last_sent;
}

bool Ps2Keyboard::press(KeyEvent event) noexcept {
    if (!state_.scanning || code_room - state_.code_count < longest_event)
        return false;
    const auto number = static_cast<unsigned>(event.key);
    const auto code = static_cast<std::uint8_t>(number);
    if (event.key == KeyCode::pause) {
        if (!event.down)
            return true;
        for (const bool down : {true, false}) {
            send(prefix_pause);
            send_code(0x14, down);
            send_code(0x77, down);
        }
    } else if (event.key == KeyCode::print_screen) {
        // With a left Shift of its own around it, as keyboards with two SysRq keys need.
        for (const std::uint8_t each :
             {event.down ? std::uint8_t{0x12} : code, event.down ? code : std::uint8_t{0x12}}) {
            send(prefix_extended);
            send_code(each, event.down);
        }
    } else {
        if (number >> 8 == prefix_extended)
            send(prefix_extended);
        send_code(code, event.down);
    }
    return true;
}

void Ps2Keyboard::send_code(std::uint8_t set_2_code, bool down) noexcept {
    if (state_.code_set == 1) {
        const std::uint8_t code = translate_to_set_1(set_2_code);
        send(down ? code : static_cast<std::uint8_t>(code | set_1_release));
        return;
    }
    if (!down)
        send(key_release);
    send(set_2_code);
}

void Ps2Keyboard::send(std::uint8_t byte) noexcept {
    assert(state_.code_count < code_room);
    state_.codes[state_.code_count++] = byte;
}

void Ps2Keyboard::save(StateWriter& writer) const {
    const auto& [command, scanning, code_set, leds, typematic, last_sent, answer_count, answers,
                 code_count, codes] = state_;
    writer.begin("ps2-keyboard", 1);
    writer.fields(command, scanning, code_set, leds, typematic, last_sent, answer_count, answers,
                  code_count, codes);
}

void Ps2Keyboard::restore(StateReader& reader) {
    State loaded;
    auto& [command, scanning, code_set, leds, typematic, last_sent, answer_count, answers,
           code_count, codes] = loaded;
    reader.begin("ps2-keyboard", 1);
    reader.fields(command, scanning, code_set, leds, typematic, last_sent, answer_count, answers,
                  code_count, codes);
    const bool takes_operand = command == 0 || command == key_set_leds || command == key_code_set ||
                               command == key_typematic;
    // While a command waits for its operand, of its answers at most the acknowledgement is left.
    if (!takes_operand || (command != 0 && answer_count > 1) || code_set < 1 || code_set > 2 ||
        answer_count >= answer_room || code_count > code_room)
        throw Error("saved state: keyboard registers hold impossible values",
                    "the file is damaged");
    state_ = loaded;
}

} // namespace coldstart::i8042
