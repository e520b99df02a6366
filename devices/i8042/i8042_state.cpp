#include "devices/i8042/i8042.h"
#include "vmm/base/error.h"

#include <utility>

namespace coldstart {

using namespace i8042;

void I8042::save(StateWriter& writer) const {
    const std::lock_guard guard(lock_);
    const auto& [ram, last_was_command, command, output_port, answer_full, answer, answer_status,
                 code_full, code, code_is_mouses, last_read, set_up] = state_;
    writer.begin("i8042", 3);
    writer.fields(ram, last_was_command, command, output_port, answer_full, answer, answer_status,
                  code_full, code, code_is_mouses, last_read, set_up);
    writer.put(static_cast<std::uint16_t>(pending_.size()));
    for (const KeyEvent& event : pending_)
        writer.fields(event.key, event.down);
    keyboard_.save(writer);
    mouse_.save(writer);
}

void I8042::restore(StateReader& reader) {
    State loaded;
    auto& [ram, last_was_command, command, output_port, answer_full, answer, answer_status,
           code_full, code, code_is_mouses, last_read, set_up] = loaded;
    reader.begin("i8042", 3);
    reader.fields(ram, last_was_command, command, output_port, answer_full, answer, answer_status,
                  code_full, code, code_is_mouses, last_read, set_up);
    std::uint16_t count = 0;
    reader.get(count);
    std::deque<KeyEvent> pending;
    bool keys = count <= max_pending;
    for (unsigned i = 0; keys && i < count; ++i) {
        KeyEvent event{};
        reader.fields(event.key, event.down);
        keys = is_key(event.key);
        pending.push_back(event);
    }
    if (!keys || (command != 0 && !takes_data(command)) ||
        (output_port & output_port_not_reset) == 0 || (output_port & output_port_fullness) != 0 ||
        (answer_status & ~(status_auxiliary | status_timeout)) != 0)
        throw Error("saved state: keyboard controller registers hold impossible values",
                    "the file is damaged");
    Ps2Keyboard keyboard;
    keyboard.restore(reader);
    Ps2Mouse mouse;
    mouse.restore(reader);
    const std::lock_guard guard(lock_);
    state_ = loaded;
    keyboard_ = keyboard;
    mouse_ = mouse;
    pending_ = std::move(pending);
    sync();
}

} // namespace coldstart
