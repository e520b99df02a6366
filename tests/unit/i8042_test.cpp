#include "devices/i8042/i8042.h"
#include "tests/fakes/fakes.h"
#include "vmm/base/error.h"

#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <vector>

using namespace coldstart;
using namespace coldstart::i8042;

namespace {

using Bytes = std::vector<unsigned>;

struct Bench {
    void command(unsigned code) { kbc.write(region_command, 0, 1, code); }
    void data(unsigned value) { kbc.write(region_data, 0, 1, value); }
    unsigned status() { return static_cast<unsigned>(kbc.read(region_command, 0, 1)); }
    unsigned get() { return static_cast<unsigned>(kbc.read(region_data, 0, 1)); }
    bool full() { return (status() & status_output_full) != 0; }
    Bytes all() {
        Bytes bytes;
        while (full())
            bytes.push_back(get());
        return bytes;
    }
    unsigned ask(unsigned code) {
        command(code);
        REQUIRE(full());
        return get();
    }
    void set_command_byte(unsigned value) {
        command(cmd_write_ram);
        data(value);
    }
    /// What the keyboard answers to one byte.
    Bytes keyboard(unsigned byte) {
        data(byte);
        return all();
    }

    fakes::FakeIrqLine irq;
    fakes::FakePower power;
    I8042 kbc{irq, power};
};

} // namespace

TEST_CASE("i8042: SeaBIOS's setup goes through", "[i8042]") {
    Bench bench;
    CHECK_FALSE(bench.full());
    bench.command(cmd_keyboard_off);
    bench.command(cmd_auxiliary_off);
    CHECK_FALSE(bench.full());
    CHECK((bench.status() & status_system) == 0);
    CHECK(bench.ask(cmd_self_test) == 0x55);
    CHECK((bench.status() & status_system) != 0);
    CHECK(bench.ask(cmd_test_keyboard) == 0);
    bench.set_command_byte(0x30); // everything off, no translation
    bench.set_command_byte(0x20);
    CHECK(bench.keyboard(key_reset) == Bytes{0xfa, 0xaa});
    CHECK(bench.keyboard(key_default_off) == Bytes{0xfa});
    CHECK(bench.keyboard(key_code_set) == Bytes{0xfa});
    CHECK(bench.keyboard(2) == Bytes{0xfa});
    CHECK(bench.keyboard(key_enable) == Bytes{0xfa});
    bench.set_command_byte(0x61);
    CHECK(bench.irq.rising_edges == 0);
    CHECK(bench.ask(cmd_read_ram) == 0x61);
    bench.kbc.press(KeyCode::a, true);
    CHECK(bench.all() == Bytes{0x1e});
}

TEST_CASE("i8042: Linux finds no auxiliary port, without a time-out", "[i8042]") {
    Bench bench;
    bench.command(cmd_write_auxiliary_buffer);
    bench.data(0x5a);
    CHECK(bench.full());
    CHECK((bench.status() & status_auxiliary) == 0); // the loop test fails here
    CHECK(bench.ask(cmd_test_auxiliary) == clock_stuck_low);
    CHECK_FALSE(bench.full());
    bench.command(cmd_write_auxiliary);
    bench.data(key_identify);
    CHECK((bench.status() & (status_auxiliary | status_timeout)) ==
          (status_auxiliary | status_timeout));
    CHECK_FALSE(bench.irq.level);
    CHECK(bench.get() == no_answer);
    CHECK((bench.status() & (status_auxiliary | status_timeout)) == 0);
}

TEST_CASE("i8042: Linux's atkbd gets its answers", "[i8042]") {
    Bench bench;
    bench.set_command_byte(byte_keyboard_interrupt | byte_translate | byte_system);
    CHECK(bench.keyboard(key_identify) == Bytes{0xfa, 0xab, 0x41}); // the ID, translated
    CHECK(bench.keyboard(key_set_leds) == Bytes{0xfa});
    CHECK(bench.keyboard(5) == Bytes{0xfa});
    CHECK(bench.kbc.leds() == 5);
    CHECK(bench.keyboard(key_typematic) == Bytes{0xfa});
    CHECK(bench.keyboard(0) == Bytes{0xfa});
    CHECK(bench.keyboard(key_echo) == Bytes{0xee});
    CHECK(bench.keyboard(key_resend) == Bytes{0xee});
    CHECK(bench.keyboard(0x42) == Bytes{0xfe});
    CHECK(bench.keyboard(key_set_leds) == Bytes{0xfa});
    CHECK(bench.keyboard(key_enable) == Bytes{0xfa}); // a command takes the operand's place
    CHECK(bench.kbc.leds() == 5);
    CHECK(bench.keyboard(key_code_set) == Bytes{0xfa});
    CHECK(bench.keyboard(3) == Bytes{0xfe});
    CHECK(bench.keyboard(key_code_set) == Bytes{0xfa});
    CHECK(bench.keyboard(0) == Bytes{0xfa, 0x41}); // set 2, translated as hardware does
}

TEST_CASE("i8042: scan codes", "[i8042]") {
    Bench bench;
    const auto codes = [&](KeyCode key, bool down) {
        bench.kbc.press(key, down);
        return bench.all();
    };
    SECTION("set 2, translated to set 1") {
        CHECK(codes(KeyCode::a, true) == Bytes{0x1e});
        CHECK(codes(KeyCode::a, false) == Bytes{0x9e});
        CHECK(codes(KeyCode::f7, true) == Bytes{0x41});
        CHECK(codes(KeyCode::right_ctrl, false) == Bytes{0xe0, 0x9d});
        CHECK(codes(KeyCode::pause, true) == Bytes{0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5});
        CHECK(codes(KeyCode::pause, false).empty());
        CHECK(codes(KeyCode::print_screen, true) == Bytes{0xe0, 0x2a, 0xe0, 0x37});
        CHECK(codes(KeyCode::print_screen, false) == Bytes{0xe0, 0xb7, 0xe0, 0xaa});
    }
    SECTION("set 2 as it is") {
        bench.set_command_byte(byte_keyboard_interrupt);
        CHECK(codes(KeyCode::a, true) == Bytes{0x1c});
        CHECK(codes(KeyCode::a, false) == Bytes{0xf0, 0x1c});
        CHECK(codes(KeyCode::up, false) == Bytes{0xe0, 0xf0, 0x75});
        CHECK(codes(KeyCode::pause, true) == Bytes{0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77});
    }
    SECTION("set 1 of the keyboard itself") {
        bench.set_command_byte(byte_keyboard_interrupt);
        bench.keyboard(key_code_set);
        bench.keyboard(1);
        CHECK(codes(KeyCode::a, false) == Bytes{0x9e});
        CHECK(codes(KeyCode::up, true) == Bytes{0xe0, 0x48});
    }
}

TEST_CASE("i8042: each byte is an edge, if the command byte lets it", "[i8042]") {
    Bench bench;
    bench.kbc.press(KeyCode::up, true);
    CHECK(bench.irq.rising_edges == 1);
    CHECK(bench.get() == 0xe0);
    CHECK(bench.irq.rising_edges == 2);
    CHECK(bench.get() == 0x48);
    CHECK_FALSE(bench.irq.level);
    CHECK(bench.get() == 0x48); // the buffer keeps it
    bench.set_command_byte(byte_translate);
    bench.kbc.press(KeyCode::up, true);
    CHECK(bench.full());
    CHECK(bench.irq.rising_edges == 2);
    bench.set_command_byte(byte_translate | byte_keyboard_interrupt);
    CHECK(bench.irq.rising_edges == 3);
}

TEST_CASE("i8042: a disabled keyboard keeps its keys", "[i8042]") {
    Bench bench;
    bench.command(cmd_keyboard_off);
    CHECK(bench.kbc.type_text("ab") == 2);
    CHECK_FALSE(bench.full());
    CHECK(bench.ask(cmd_read_ram) == (byte_power_on | byte_keyboard_off));
    bench.command(cmd_keyboard_on);
    CHECK(bench.all() == Bytes{0x1e, 0x9e, 0x30, 0xb0});
    // The controller's answers go first and take no key away.
    bench.kbc.type_text("a");
    CHECK(bench.ask(cmd_test_keyboard) == 0);
    CHECK(bench.all() == Bytes{0x1e, 0x9e});
    // So do those of the keyboard, and not scanning it lets keys wait.
    CHECK(bench.keyboard(key_default_off) == Bytes{0xfa});
    bench.kbc.type_text("b");
    CHECK_FALSE(bench.full());
    CHECK(bench.keyboard(key_enable) == Bytes{0xfa, 0x30, 0xb0});
}

TEST_CASE("i8042: long text waits for the guest, none of it is lost", "[i8042]") {
    Bench bench;
    const std::string line = "echo \"Hello, World!\" | tr a-z A-Z > ~/x_1 && [ $? = 0 ]\n";
    CHECK(bench.kbc.type_text(line) == line.size());
    const Bytes codes = bench.all();
    std::size_t makes = 0, shifts = 0;
    for (const unsigned code : codes) {
        if (code < 0x80)
            ++(code == 0x2a ? shifts : makes);
    }
    CHECK(makes == line.size());
    CHECK(shifts == 15);
    CHECK(bench.kbc.type_text("\x01\xff") == 0);
    // Full is full, at the end of a stroke.
    const std::string much(5000, 'A');
    CHECK(bench.kbc.type_text(much) == I8042::max_pending / 4);
    CHECK(bench.all().size() % 4 == 0);
}

TEST_CASE("i8042: Ctrl-Alt-Del", "[i8042]") {
    Bench bench;
    bench.kbc.press_ctrl_alt_delete();
    CHECK(bench.all() == Bytes{0x1d, 0x38, 0xe0, 0x53, 0xe0, 0xd3, 0xb8, 0x9d});
}

TEST_CASE("i8042: output port, reset and RAM", "[i8042]") {
    Bench bench;
    CHECK((bench.ask(cmd_read_output_port) & output_port_a20) != 0);
    bench.command(cmd_write_output_port);
    bench.data(0xdd);
    CHECK(bench.ask(cmd_read_output_port) == 0xcd);
    bench.command(cmd_a20_on);
    CHECK(bench.ask(cmd_read_output_port) == 0xcf);
    CHECK(bench.power.resets == 0);
    bench.command(0xfe);
    CHECK(bench.power.resets == 1);
    bench.command(0xff);
    CHECK(bench.power.resets == 1);
    bench.command(cmd_write_output_port);
    bench.data(0xde);
    CHECK(bench.power.resets == 2);
    bench.command(cmd_write_ram + 0x1f);
    bench.data(0x77);
    CHECK(bench.ask(cmd_read_ram + 0x1f) == 0x77);
    CHECK(bench.ask(cmd_test_password) == no_password);
    bench.command(cmd_write_keyboard_buffer);
    bench.data(0x1e);
    CHECK(bench.irq.level);
    CHECK(bench.get() == 0x1e);
    CHECK(bench.kbc.acpi().legacy == std::vector{LegacyFeature::keyboard_controller});
}

TEST_CASE("i8042: keys by name", "[i8042]") {
    CHECK(key_by_name("a") == KeyCode::a);
    CHECK(key_by_name("1") == KeyCode::digit_1);
    CHECK(key_by_name("delete") == KeyCode::del);
    CHECK(key_by_name("f12") == KeyCode::f12);
    CHECK_FALSE(key_by_name("A").has_value());
    CHECK_FALSE(is_key(static_cast<KeyCode>(0xe012)));
    Bench bench;
    bench.kbc.press(static_cast<KeyCode>(0xe012), true);
    CHECK_FALSE(bench.full());
    // Every printable character has a stroke, and no two of them the same.
    std::set<std::vector<std::pair<unsigned, bool>>> strokes;
    for (char c = ' '; c < 0x7f; ++c) {
        std::vector<std::pair<unsigned, bool>> stroke;
        for (const KeyEvent& event : keys_of_character(c))
            stroke.emplace_back(static_cast<unsigned>(event.key), event.down);
        CAPTURE(c);
        CHECK_FALSE(stroke.empty());
        CHECK(strokes.insert(stroke).second);
    }
}
