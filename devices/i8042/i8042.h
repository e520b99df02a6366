// Keyboard controller of a PC, an Intel 8042, with a PS/2 keyboard and, if it has a line of its own,
// a PS/2 mouse.
// Source: IBM PC/AT and PS/2 Hardware Interface Technical References; ICH9 data sheet 5.10.
//
// Answers of the controller itself go before what the keyboard sends, and replace one that nobody
// read. A byte to the keyboard switches its interface on, as on AT controllers; one to the
// mouse likewise. Interrupts 1 and 12 are levels here that fall with every byte read, so that an
// edge-triggered input sees each byte.
//
// Without the mouse's line there is no auxiliary port: its clock line tests as stuck, what is
// written to it ends in the time-out status at once, and a byte written to its output buffer comes
// back as the keyboard's. By any of the three a driver knows, without waiting.
//
// Keys pressed from the host queue up until the guest takes them, up to max_pending of them.
//
// Missing: inhibiting A20 (the bit of the output port is kept, without effect); the
// key lock and password commands.
// Threads: read, write, save and everything of the host side on any thread.
#pragma once

#include "devices/core/device.h"
#include "devices/i8042/key_code.h"
#include "devices/i8042/ps2_keyboard.h"
#include "devices/i8042/ps2_mouse.h"
#include "devices/i8042/spec.h"
#include "vmm/base/power.h"

#include <array>
#include <cstddef>
#include <deque>
#include <mutex>
#include <span>
#include <string_view>

namespace coldstart {

class I8042 final : public Device {
  public:
    static constexpr std::size_t max_pending = 4096;

    /// `irq`, `power` and `mouse_irq` outlive the device; without the last there is no mouse.
    I8042(IrqLine& irq, PowerControl& power, IrqLine* mouse_irq = nullptr)
        : irq_(irq), power_(power), mouse_irq_(mouse_irq) {}

    std::string_view type() const noexcept override { return "i8042"; }
    std::span<const RegionShape> regions() const noexcept override;
    std::span<const LineShape> lines() const noexcept override;
    AcpiDescription acpi() const override;

    std::uint64_t read(unsigned region, std::uint64_t offset, unsigned width) noexcept override;
    void write(unsigned region, std::uint64_t offset, unsigned width,
               std::uint64_t value) noexcept override;

    void reset() override;
    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;

    // The host side. Keys that find the queue full are lost.
    void press(KeyCode key, bool down);
    /// How many characters of `text` were typed: those with a key and, at the end, with room.
    std::size_t type_text(std::string_view text);
    /// All of them, or none when the queue has no room for all; false then.
    bool press_all(std::span<const KeyEvent> events);
    void press_ctrl_alt_delete();
    /// Software has set the controller up and takes the keyboard's interrupts.
    bool guest_listens() const;
    /// Bit 0 Scroll Lock, 1 Num Lock, 2 Caps Lock.
    std::uint8_t leds() const;

  private:
    struct State {
        std::array<std::uint8_t, 32> ram{i8042::byte_power_on}; ///< byte 0: the command byte
        bool last_was_command = true;
        std::uint8_t command = 0; ///< that waits for its data byte; 0: none
        std::uint8_t output_port = i8042::output_port_power_on;
        bool answer_full = false;
        std::uint8_t answer = 0;
        std::uint8_t answer_status = 0; ///< more status bits while `answer` is to be read
        bool code_full = false;
        std::uint8_t code = 0; ///< of the keyboard, translated, or of the mouse
        bool code_is_mouses = false;
        std::uint8_t last_read = 0;
        bool set_up = false; ///< software has written the command byte
    };

    std::uint8_t command_byte() const noexcept { return state_.ram[0]; }
    std::uint8_t status() const noexcept;
    std::uint8_t read_data() noexcept;
    void write_command(std::uint8_t code) noexcept;
    void write_data(std::uint8_t value) noexcept;
    void write_output_port(std::uint8_t value) noexcept;
    void answer(std::uint8_t value, std::uint8_t status_bits = 0) noexcept;

    bool queue(std::span<const KeyEvent> events);
    void sync() noexcept;
    void feed_keyboard() noexcept;
    void fetch_code() noexcept;
    std::uint8_t next_key_byte() noexcept;
    bool mouses_byte_is_next() const noexcept;
    void lower_lines() noexcept;

    IrqLine& irq_;
    PowerControl& power_;
    IrqLine* const mouse_irq_;

    mutable std::mutex lock_; // guards what follows
    State state_;
    i8042::Ps2Keyboard keyboard_;
    i8042::Ps2Mouse mouse_;
    std::deque<KeyEvent> pending_;
};

} // namespace coldstart
