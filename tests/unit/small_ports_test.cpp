#include "devices/debug_console/debug_console.h"
#include "devices/debug_exit/debug_exit.h"
#include "devices/i8042/i8042_reset.h"
#include "devices/i8042/spec.h"
#include "devices/post_port/post_port.h"
#include "devices/pvpanic/pvpanic.h"
#include "tests/fakes/fake_byte_stream.h"
#include "tests/fakes/fakes.h"

#include <catch2/catch.hpp>
#include <utility>
#include <vector>

using namespace coldstart;

TEST_CASE("i8042-reset: the pulse command and the output port reset", "[i8042]") {
    fakes::FakePower power;
    I8042Reset kbc(power);
    const auto command = [&](unsigned value) { kbc.write(i8042::region_command, 0, 1, value); };
    const auto data = [&](unsigned value) { kbc.write(i8042::region_data, 0, 1, value); };
    CHECK(kbc.read(i8042::region_command, 0, 1) == 0);

    command(0xfe);
    CHECK(power.resets == 1);
    command(0xff); // pulses nothing
    command(0xaa); // self-test: not here
    data(0xfe);    // a keyboard command, not the output port
    CHECK(power.resets == 1);
    command(0xf0); // all lines, reset among them
    CHECK(power.resets == 2);

    command(i8042::cmd_write_output_port);
    data(0xdf); // A20 on, reset line high
    data(0xde); // no longer an operand
    CHECK(power.resets == 2);
    command(i8042::cmd_write_output_port);
    data(0xde);
    CHECK(power.resets == 3);
    command(i8042::cmd_write_output_port);
    command(0xad); // another command in between takes the operand's place
    data(0xde);
    CHECK(power.resets == 3);
    CHECK(kbc.acpi().legacy.empty());
}

TEST_CASE("post-port: changes are told with their time, repeats only counted", "[post_port]") {
    struct Sink final : PostCodeSink {
        void post_code(std::uint8_t code, std::uint64_t time_ns) noexcept override {
            codes.emplace_back(code, time_ns);
        }
        std::vector<std::pair<unsigned, std::uint64_t>> codes;
    };
    fakes::FakeClock clock;
    Sink sink;
    PostPort port(clock, sink);
    const std::uint64_t start = clock.now_ns();
    CHECK(port.read(0, 0, 1) == 0);
    port.write(0, 0, 1, 0x00); // the first code is news even if it is zero
    clock.advance(5);
    port.write(0, 0, 1, 0x92);
    clock.advance(5);
    port.write(0, 0, 1, 0x92);
    port.write(0, 0, 2, 0x1234);
    port.write(0, 0, 1, 0x00);
    CHECK(sink.codes == std::vector<std::pair<unsigned, std::uint64_t>>{
                            {0x00, start}, {0x92, start + 5}, {0x00, start + 10}});
    CHECK(port.write_count() == 4);
    port.write(0, 0, 1, 0x7e);
    CHECK(port.read(0, 0, 1) == 0x7e);
    port.reset();
    port.write(0, 0, 1, 0x7e);
    CHECK(sink.codes.back() == std::pair<unsigned, std::uint64_t>{0x7e, start + 10});
    CHECK(sink.codes.size() == 5);
}

TEST_CASE("debugcon: says that it listens and passes bytes on", "[debug_console]") {
    fakes::FakeByteStream stream;
    DebugConsole console(stream);
    CHECK(console.read(0, 0, 1) == 0xe9);
    for (const char c : std::string_view("SecCoreStart\n"))
        console.write(0, 0, 1, static_cast<unsigned char>(c));
    CHECK(stream.written() == "SecCoreStart\n");
    stream.set_room(0);
    console.write(0, 0, 1, 'x');
    CHECK(stream.written() == "SecCoreStart\n");
}

TEST_CASE("pvpanic: only a panic stops the machine", "[pvpanic]") {
    fakes::FakePower power;
    PvPanic device(power);
    CHECK(device.read(0, 0, 1) == 3);
    device.write(0, 0, 1, 2); // the guest's crash kernel takes over
    device.write(0, 0, 1, 0);
    CHECK(power.panics == 0);
    device.write(0, 0, 1, 1);
    CHECK(power.panics == 1);
    CHECK(device.acpi().hid == "QEMU0001");
}

TEST_CASE("isa-debug-exit: the value becomes an exit status", "[debug_exit]") {
    fakes::FakePower power;
    DebugExit device(power);
    CHECK(device.read(0, 0, 4) == 0);
    device.write(0, 1, 1, 0x10); // not at the first port
    CHECK(power.exits == 0);
    device.write(0, 0, 4, 0);
    CHECK(power.exit_status == 1);
    device.write(0, 0, 1, 0x10);
    CHECK(power.exit_status == 0x21);
    device.write(0, 0, 2, 0xffff);
    CHECK(power.exit_status == 0xff);
    CHECK(power.exits == 3);
}
