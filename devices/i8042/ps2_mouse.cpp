#include "devices/i8042/ps2_mouse.h"

#include "devices/i8042/spec.h"
#include "vmm/base/error.h"

#include <algorithm>
#include <cassert>

namespace coldstart::i8042 {
namespace {

constexpr std::uint8_t mouse_id = 0;
constexpr std::uint8_t packet_always = 0x08; // of a packet's first byte; no button is down
constexpr std::uint8_t most_resolution = 3;
constexpr std::uint8_t status_remote = 0x40, status_enabled = 0x20, status_doubles = 0x10;

bool takes_operand(std::uint8_t command) noexcept {
    return command == mouse_set_rate || command == mouse_set_resolution;
}

} // namespace

void Ps2Mouse::take(std::uint8_t byte) noexcept {
    state_.answer_count = 0; // nobody waits for the answer to an earlier byte any more
    if (state_.wrap && byte != mouse_reset && byte != mouse_end_wrap) {
        answer({byte});
        return;
    }
    const std::uint8_t waiting = state_.command;
    state_.command = 0;
    if (waiting == mouse_set_rate) {
        state_.rate = byte;
        answer({mouse_acknowledge});
    } else if (waiting == mouse_set_resolution) {
        state_.resolution = std::min(byte, most_resolution);
        answer({mouse_acknowledge});
    } else {
        command(byte);
    }
}

void Ps2Mouse::command(std::uint8_t byte) noexcept {
    switch (byte) {
    case mouse_scale_1_1:
    case mouse_scale_2_1:
        state_.doubles = byte == mouse_scale_2_1;
        break;
    case mouse_set_resolution:
    case mouse_set_rate:
        state_.command = byte;
        break;
    case mouse_status:
        answer({mouse_acknowledge, status(), state_.resolution, state_.rate});
        return;
    case mouse_stream:
    case mouse_remote:
        state_.remote = byte == mouse_remote;
        break;
    case mouse_read_data:
        answer({mouse_acknowledge, packet_always, 0, 0});
        return;
    case mouse_end_wrap:
    case mouse_wrap:
        state_.wrap = byte == mouse_wrap;
        break;
    case mouse_identify:
        answer({mouse_acknowledge, mouse_id});
        return;
    case mouse_enable:
    case mouse_disable:
        state_.enabled = byte == mouse_enable;
        break;
    case mouse_defaults:
        set_defaults();
        break;
    case mouse_resend:
        answer({state_.last_sent});
        return;
    case mouse_reset:
        set_defaults();
        answer({mouse_acknowledge, mouse_self_test_passed, mouse_id});
        return;
    default:
        answer({mouse_refuse});
        return;
    }
    answer({mouse_acknowledge});
}

void Ps2Mouse::set_defaults() noexcept {
    const std::uint8_t last_sent = state_.last_sent;
    state_ = State{};
    state_.last_sent = last_sent;
}

std::uint8_t Ps2Mouse::status() const noexcept {
    return static_cast<std::uint8_t>((state_.remote ? status_remote : 0) |
                                     (state_.enabled ? status_enabled : 0) |
                                     (state_.doubles ? status_doubles : 0));
}

void Ps2Mouse::answer(std::initializer_list<std::uint8_t> bytes) noexcept {
    assert(state_.answer_count + bytes.size() <= answer_room);
    for (const std::uint8_t byte : bytes)
        state_.answers[state_.answer_count++] = byte;
}

std::uint8_t Ps2Mouse::next_byte() noexcept {
    assert(has_byte());
    state_.last_sent = state_.answers[0];
    std::rotate(state_.answers.begin(), state_.answers.begin() + 1, state_.answers.end());
    state_.answers.back() = 0;
    --state_.answer_count;
    return state_.last_sent;
}

void Ps2Mouse::save(StateWriter& writer) const {
    const auto& [command, enabled, remote, wrap, doubles, rate, resolution, last_sent, answer_count,
                 answers] = state_;
    writer.begin("ps2-mouse", 1);
    writer.fields(command, enabled, remote, wrap, doubles, rate, resolution, last_sent,
                  answer_count, answers);
}

void Ps2Mouse::restore(StateReader& reader) {
    State loaded;
    auto& [command, enabled, remote, wrap, doubles, rate, resolution, last_sent, answer_count,
           answers] = loaded;
    reader.begin("ps2-mouse", 1);
    reader.fields(command, enabled, remote, wrap, doubles, rate, resolution, last_sent,
                  answer_count, answers);
    if ((command != 0 && !takes_operand(command)) || resolution > most_resolution ||
        answer_count > answer_room)
        throw Error("saved state: mouse registers hold impossible values", "the file is damaged");
    state_ = loaded;
}

} // namespace coldstart::i8042
