#include "devices/i8042/i8042.h"

#include <utility>
#include <vector>

namespace coldstart {

using namespace i8042;

namespace {

constexpr std::array region_shapes = {RegionShape{"data", BusKind::pio, 1},
                                      RegionShape{"command", BusKind::pio, 1}};
constexpr std::array line_shapes = {LineShape{"keyboard"}, LineShape{"mouse"}};

} // namespace

std::span<const RegionShape> I8042::regions() const noexcept {
    return region_shapes;
}

std::span<const LineShape> I8042::lines() const noexcept {
    return std::span(line_shapes).first(mouse_irq_ != nullptr ? 2 : 1);
}

AcpiDescription I8042::acpi() const {
    AcpiDescription description;
    description.name = "KBD";
    description.hid = "PNP0303";
    description.legacy = {LegacyFeature::keyboard_controller};
    return description;
}

std::uint64_t I8042::read(unsigned region, std::uint64_t, unsigned width) noexcept {
    if (width != 1)
        return all_ones(width);
    const std::lock_guard guard(lock_);
    return region == region_command ? status() : read_data();
}

std::uint8_t I8042::status() const noexcept {
    unsigned value = status_not_locked | (command_byte() & byte_system);
    if (state_.last_was_command)
        value |= status_command;
    if (state_.answer_full || state_.code_full)
        value |= status_output_full;
    if (state_.answer_full)
        value |= state_.answer_status;
    else if (mouses_byte_is_next())
        value |= status_auxiliary;
    return static_cast<std::uint8_t>(value);
}

/// Whether what the data port would give now is from the auxiliary port.
bool I8042::mouses_byte_is_next() const noexcept {
    return state_.answer_full ? (state_.answer_status & status_auxiliary) != 0
                              : state_.code_full && state_.code_is_mouses;
}

void I8042::lower_lines() noexcept {
    irq_.set_level(false);
    if (mouse_irq_ != nullptr)
        mouse_irq_->set_level(false);
}

std::uint8_t I8042::read_data() noexcept {
    if (state_.answer_full) {
        state_.answer_full = false;
        state_.last_read = state_.answer;
    } else if (state_.code_full) {
        state_.code_full = false;
        state_.last_read = state_.code;
    }
    lower_lines(); // an edge for the byte behind this one
    sync();
    return state_.last_read;
}

void I8042::write(unsigned region, std::uint64_t, unsigned width, std::uint64_t value) noexcept {
    if (width != 1)
        return;
    const std::lock_guard guard(lock_);
    state_.last_was_command = region == region_command;
    if (region == region_command)
        write_command(static_cast<std::uint8_t>(value));
    else
        write_data(static_cast<std::uint8_t>(value));
    sync();
}

void I8042::write_command(std::uint8_t code) noexcept {
    state_.command = takes_data(code) ? code : std::uint8_t{0};
    if ((code & cmd_ram_mask) == cmd_read_ram) {
        answer(state_.ram[code & ~cmd_ram_mask]);
        return;
    }
    if ((code & cmd_pulse_mask) == cmd_pulse) {
        if ((code & output_port_not_reset) == 0)
            power_.reset();
        return;
    }
    std::uint8_t& byte = state_.ram[0];
    switch (code) {
    case cmd_test_password:
        answer(no_password);
        break;
    case cmd_auxiliary_off:
        byte |= byte_auxiliary_off;
        break;
    case cmd_auxiliary_on:
        byte = static_cast<std::uint8_t>(byte & ~byte_auxiliary_off);
        break;
    case cmd_test_auxiliary:
        answer(mouse_irq_ != nullptr ? line_good : clock_stuck_low);
        break;
    case cmd_self_test:
        byte |= byte_system;
        answer(self_test_passed);
        break;
    case cmd_test_keyboard:
        answer(line_good);
        break;
    case cmd_keyboard_off:
        byte |= byte_keyboard_off;
        break;
    case cmd_keyboard_on:
        byte = static_cast<std::uint8_t>(byte & ~byte_keyboard_off);
        break;
    case cmd_read_input_port:
        answer(input_port_value);
        break;
    case cmd_read_output_port:
        answer(static_cast<std::uint8_t>(
            state_.output_port | (mouses_byte_is_next() ? output_port_auxiliary_full
                                  : state_.answer_full || state_.code_full ? output_port_full
                                                                           : 0)));
        break;
    case cmd_a20_off:
        state_.output_port = static_cast<std::uint8_t>(state_.output_port & ~output_port_a20);
        break;
    case cmd_a20_on:
        state_.output_port |= output_port_a20;
        break;
    default:
        break;
    }
}

bool I8042::guest_listens() const {
    const std::lock_guard guard(lock_);
    return state_.set_up && (command_byte() & byte_keyboard_interrupt) != 0 &&
           (command_byte() & byte_keyboard_off) == 0;
}

void I8042::write_data(std::uint8_t value) noexcept {
    const std::uint8_t command = std::exchange(state_.command, std::uint8_t{0});
    if ((command & cmd_ram_mask) == cmd_write_ram) {
        state_.ram[command & ~cmd_ram_mask] = value;
        state_.set_up |= command == cmd_write_ram;
        return;
    }
    switch (command) {
    case cmd_write_output_port:
        write_output_port(value);
        break;
    case cmd_write_keyboard_buffer:
        answer(value);
        break;
    case cmd_write_auxiliary_buffer:
        answer(value, mouse_irq_ != nullptr ? status_auxiliary : std::uint8_t{0});
        break;
    case cmd_write_auxiliary:
        if (mouse_irq_ == nullptr) {
            answer(no_answer, status_auxiliary | status_timeout);
            break;
        }
        state_.ram[0] = static_cast<std::uint8_t>(state_.ram[0] & ~byte_auxiliary_off);
        mouse_.take(value);
        break;
    default:
        state_.ram[0] = static_cast<std::uint8_t>(state_.ram[0] & ~byte_keyboard_off);
        keyboard_.take(value);
        break;
    }
}

void I8042::write_output_port(std::uint8_t value) noexcept {
    // The full bits are wired to the buffer, and a machine held in reset could not let go of it.
    state_.output_port =
        static_cast<std::uint8_t>((value & ~output_port_fullness) | output_port_not_reset);
    if ((value & output_port_not_reset) == 0)
        power_.reset();
}

void I8042::answer(std::uint8_t value, std::uint8_t status_bits) noexcept {
    if (std::exchange(state_.answer_full, true))
        lower_lines(); // the answer in place of an unread one is news
    state_.answer = value;
    state_.answer_status = status_bits;
}

void I8042::sync() noexcept {
    feed_keyboard();
    fetch_code();
    feed_keyboard();
    const bool of_mouse = mouses_byte_is_next();
    const bool of_keyboard = (state_.answer_full || state_.code_full) && !of_mouse;
    irq_.set_level(of_keyboard && (command_byte() & byte_keyboard_interrupt) != 0 &&
                   (command_byte() & byte_keyboard_off) == 0);
    if (mouse_irq_ != nullptr)
        mouse_irq_->set_level(of_mouse && (command_byte() & byte_auxiliary_interrupt) != 0 &&
                              (command_byte() & byte_auxiliary_off) == 0);
}

void I8042::feed_keyboard() noexcept {
    while (!pending_.empty() && keyboard_.press(pending_.front()))
        pending_.pop_front();
}

void I8042::fetch_code() noexcept {
    if (state_.code_full)
        return;
    if ((command_byte() & byte_keyboard_off) == 0 && keyboard_.has_byte()) {
        state_.code = next_key_byte();
        state_.code_is_mouses = false;
        state_.code_full = true;
    } else if ((command_byte() & byte_auxiliary_off) == 0 && mouse_.has_byte()) {
        state_.code = mouse_.next_byte();
        state_.code_is_mouses = true;
        state_.code_full = true;
    }
}

std::uint8_t I8042::next_key_byte() noexcept {
    std::uint8_t byte = keyboard_.next_byte();
    if ((command_byte() & byte_translate) != 0) {
        const bool released = byte == key_release && keyboard_.has_byte();
        if (released)
            byte = keyboard_.next_byte();
        byte = translate_to_set_1(byte);
        if (released)
            byte |= 0x80;
    }
    return byte;
}

void I8042::press(KeyCode key, bool down) {
    const KeyEvent event{key, down};
    if (!is_key(key))
        return;
    const std::lock_guard guard(lock_);
    queue({&event, 1});
    sync();
}

std::size_t I8042::type_text(std::string_view text) {
    const std::lock_guard guard(lock_);
    std::size_t typed = 0;
    for (const char character : text) {
        const std::vector<KeyEvent> events = keys_of_character(character);
        if (events.empty())
            continue;
        if (!queue(events))
            break;
        ++typed;
    }
    sync();
    return typed;
}

bool I8042::press_all(std::span<const KeyEvent> events) {
    for (const KeyEvent& event : events) {
        if (!is_key(event.key))
            return false;
    }
    const std::lock_guard guard(lock_);
    const bool queued = queue(events);
    sync();
    return queued;
}

void I8042::press_ctrl_alt_delete() {
    static constexpr std::array events = {
        KeyEvent{KeyCode::left_ctrl, true}, KeyEvent{KeyCode::left_alt, true},
        KeyEvent{KeyCode::del, true},       KeyEvent{KeyCode::del, false},
        KeyEvent{KeyCode::left_alt, false}, KeyEvent{KeyCode::left_ctrl, false},
    };
    const std::lock_guard guard(lock_);
    queue(events);
    sync();
}

// All or nothing: half a stroke would leave a key down.
bool I8042::queue(std::span<const KeyEvent> events) {
    if (events.size() > max_pending - pending_.size())
        return false;
    pending_.insert(pending_.end(), events.begin(), events.end());
    return true;
}

std::uint8_t I8042::leds() const {
    const std::lock_guard guard(lock_);
    return keyboard_.leds();
}

void I8042::reset() {
    const std::lock_guard guard(lock_);
    state_ = State{};
    keyboard_ = Ps2Keyboard{};
    mouse_ = Ps2Mouse{};
    pending_.clear();
    sync();
}

} // namespace coldstart
