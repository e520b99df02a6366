// The auxiliary port of the keyboard controller, and the mouse behind it.
#include "devices/i8042/i8042.h"
#include "tests/fakes/fakes.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace coldstart;
using namespace coldstart::i8042;

namespace {

using Bytes = std::vector<unsigned>;

struct MouseBench {
    MouseBench() { set_command_byte(byte_keyboard_interrupt | byte_auxiliary_interrupt); }
    void set_command_byte(unsigned value) { command_to(cmd_write_ram, value); }
    void command_to(unsigned code, unsigned value) {
        both.write(region_command, 0, 1, code);
        both.write(region_data, 0, 1, value);
    }
    unsigned status_of() { return static_cast<unsigned>(both.read(region_command, 0, 1)); }
    /// What the mouse answers to one byte; each of its bytes is marked and interrupts.
    Bytes mouse(unsigned byte) {
        command_to(cmd_write_auxiliary, byte);
        Bytes bytes;
        while ((status_of() & status_output_full) != 0) {
            CHECK((status_of() & status_auxiliary) != 0);
            CHECK(mouse_irq.level);
            CHECK_FALSE(keyboard_irq.level);
            bytes.push_back(static_cast<unsigned>(both.read(region_data, 0, 1)));
        }
        CHECK_FALSE(mouse_irq.level);
        return bytes;
    }

    fakes::FakeIrqLine keyboard_irq, mouse_irq;
    fakes::FakePower power;
    I8042 both{keyboard_irq, power, &mouse_irq};
};

} // namespace

TEST_CASE("i8042: Linux finds the auxiliary port and its interrupt", "[i8042]") {
    MouseBench bench;
    I8042& kbc = bench.both;
    CHECK(kbc.lines().size() == 2);
    bench.command_to(cmd_write_auxiliary_buffer, 0x5a);
    CHECK((bench.status_of() & status_auxiliary) != 0);
    CHECK(bench.mouse_irq.level);
    CHECK_FALSE(bench.keyboard_irq.level);
    kbc.write(region_command, 0, 1, cmd_read_output_port);
    CHECK(kbc.read(region_data, 0, 1) == (output_port_power_on | output_port_auxiliary_full));
    kbc.write(region_command, 0, 1, cmd_test_auxiliary);
    CHECK((bench.status_of() & status_auxiliary) == 0);
    CHECK(kbc.read(region_data, 0, 1) == line_good);
    kbc.write(region_command, 0, 1, cmd_auxiliary_off);
    kbc.write(region_command, 0, 1, cmd_read_ram);
    CHECK((kbc.read(region_data, 0, 1) & byte_auxiliary_off) != 0);
    kbc.write(region_command, 0, 1, cmd_auxiliary_on);
    kbc.write(region_command, 0, 1, cmd_read_ram);
    CHECK((kbc.read(region_data, 0, 1) & byte_auxiliary_off) == 0);
    CHECK(I8042(bench.keyboard_irq, bench.power).lines().size() == 1);
}

TEST_CASE("i8042: the mouse answers its driver", "[i8042]") {
    MouseBench bench;
    CHECK(bench.mouse(mouse_reset) == Bytes{0xfa, 0xaa, 0x00});
    CHECK(bench.mouse(mouse_identify) == Bytes{0xfa, 0x00});
    CHECK(bench.mouse(mouse_set_rate) == Bytes{0xfa});
    CHECK(bench.mouse(200) == Bytes{0xfa});
    CHECK(bench.mouse(mouse_set_resolution) == Bytes{0xfa});
    CHECK(bench.mouse(3) == Bytes{0xfa});
    CHECK(bench.mouse(mouse_scale_2_1) == Bytes{0xfa});
    CHECK(bench.mouse(mouse_enable) == Bytes{0xfa});
    CHECK(bench.mouse(mouse_status) == Bytes{0xfa, 0x30, 3, 200});
    CHECK(bench.mouse(mouse_remote) == Bytes{0xfa});
    CHECK(bench.mouse(mouse_read_data) == Bytes{0xfa, 0x08, 0, 0});
    CHECK(bench.mouse(mouse_resend) == Bytes{0});
    CHECK(bench.mouse(mouse_wrap) == Bytes{0xfa});
    CHECK(bench.mouse(mouse_identify) == Bytes{mouse_identify});
    CHECK(bench.mouse(mouse_end_wrap) == Bytes{0xfa});
    CHECK(bench.mouse(mouse_defaults) == Bytes{0xfa});
    CHECK(bench.mouse(mouse_status) == Bytes{0xfa, 0, 2, 100});
    CHECK(bench.mouse(0x42) == Bytes{0xfe});
    CHECK(bench.mouse_irq.rising_edges == 30);
    CHECK(bench.keyboard_irq.rising_edges == 0);
}

TEST_CASE("i8042: keyboard and mouse take turns, each byte marked", "[i8042]") {
    MouseBench bench;
    I8042& kbc = bench.both;
    kbc.press(KeyCode::a, true); // in the buffer already
    bench.command_to(cmd_write_auxiliary, mouse_identify);
    CHECK((bench.status_of() & status_auxiliary) == 0);
    CHECK(bench.keyboard_irq.level);
    CHECK_FALSE(bench.mouse_irq.level);
    CHECK(kbc.read(region_data, 0, 1) == 0x1c);
    CHECK((bench.status_of() & status_auxiliary) != 0);
    kbc.press(KeyCode::a, false); // waits: what is to be read does not change
    CHECK((bench.status_of() & status_auxiliary) != 0);
    CHECK(kbc.read(region_data, 0, 1) == 0xfa);
    CHECK((bench.status_of() & status_auxiliary) == 0);
    CHECK(kbc.read(region_data, 0, 1) == 0xf0);
    bench.set_command_byte(byte_auxiliary_off | byte_auxiliary_interrupt);
    CHECK(kbc.read(region_data, 0, 1) == 0x1c);
    CHECK((bench.status_of() & status_output_full) == 0);
    kbc.write(region_command, 0, 1, cmd_auxiliary_on);
    CHECK(bench.mouse_irq.level);
    CHECK(kbc.read(region_data, 0, 1) == 0x00);
}
