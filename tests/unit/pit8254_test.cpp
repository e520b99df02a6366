#include "devices/pit8254/pit8254.h"
#include "tests/fakes/fakes.h"

#include <catch2/catch.hpp>

using namespace coldstart;
using namespace coldstart::pit8254;

namespace {

struct Bench {
    fakes::FakeIrqLine irq;
    fakes::FakeClock clock;
    Pit8254 device{irq, clock};
    void control(unsigned value) { device.write(region_timer, port_control_word, 1, value); }
    void load(unsigned counter, unsigned value) {
        device.write(region_timer, counter, 1, value & 0xff);
        device.write(region_timer, counter, 1, value >> 8);
    }
    unsigned byte(unsigned counter) {
        return static_cast<unsigned>(device.read(region_timer, counter, 1));
    }
    unsigned word(unsigned counter) {
        const unsigned low = byte(counter);
        return low | byte(counter) << 8;
    }
    /// To `clocks` of the timer's input from the start, and a little beyond.
    void to_clock(std::uint64_t clocks) {
        const std::uint64_t target =
            start_ns + (clocks * 1'000'000'000 + input_hz / 2) / input_hz + 400;
        clock.advance(target - clock.now_ns());
    }
    /// At the start of a clock.
    void begin() {
        const std::uint64_t into_second = clock.now_ns() % 1'000'000'000;
        const std::uint64_t next = into_second * input_hz / 1'000'000'000 + 1;
        clock.advance((next * 1'000'000'000 + input_hz - 1) / input_hz - into_second);
        start_ns = clock.now_ns();
    }
    unsigned port_61() { return static_cast<unsigned>(device.read(region_control, 0, 1)); }
    bool output_2() { return (port_61() & control_output_2) != 0; }
    unsigned status(unsigned counter) {
        control(0xe0 | 2u << counter);
        return byte(counter);
    }

    std::uint64_t start_ns = 0;
};

} // namespace

TEST_CASE("PIT: mode 2 sends an edge a period", "[pit8254]") {
    Bench bench;
    bench.control(0x34);
    bench.begin();
    bench.load(0, 1193);
    bench.to_clock(1192);
    CHECK(bench.irq.rising_edges == 0);
    bench.to_clock(1193);
    CHECK(bench.irq.rising_edges == 1);
    bench.clock.advance(1'000'000'000);
    CHECK(bench.irq.rising_edges >= 999);
    CHECK(bench.irq.rising_edges <= 1002);
}

TEST_CASE("PIT: mode 0 sends one edge, and none before a count is written", "[pit8254]") {
    Bench bench;
    bench.control(0x30);
    bench.clock.advance(1'000'000'000);
    CHECK(bench.irq.rising_edges == 0);
    CHECK((bench.status(0) & 0xc0) == 0x40); // output low, count null
    bench.begin();
    bench.load(0, 11932);
    CHECK((bench.status(0) & 0xc0) == 0);
    bench.to_clock(11931);
    CHECK(bench.irq.rising_edges == 0);
    bench.to_clock(11932);
    CHECK(bench.irq.rising_edges == 1);
    CHECK((bench.status(0) & 0x80) != 0);
    bench.clock.advance(1'000'000'000);
    CHECK(bench.irq.rising_edges == 1);
}

TEST_CASE("PIT: a count of 0 is the whole range", "[pit8254]") {
    Bench bench;
    bench.control(0x34);
    bench.begin();
    bench.load(0, 0);
    bench.to_clock(65535);
    CHECK(bench.irq.rising_edges == 0);
    bench.to_clock(65536);
    CHECK(bench.irq.rising_edges == 1);
}

TEST_CASE("PIT: counts down, latched or live, and shows one byte where one is chosen",
          "[pit8254]") {
    Bench bench;
    bench.control(0x34);
    bench.begin();
    bench.load(0, 10000);
    bench.to_clock(100);
    CHECK(bench.word(0) == 9900);
    bench.control(0x00);
    bench.to_clock(300);
    bench.control(0x00); // the first latch stays
    CHECK(bench.word(0) == 9900);
    CHECK(bench.word(0) == 9700);
    bench.to_clock(10100);
    CHECK(bench.word(0) == 9900);

    bench.control(0x10); // low byte, mode 0
    bench.begin();
    bench.device.write(region_timer, 0, 1, 200);
    bench.to_clock(50);
    CHECK(bench.byte(0) == 150);
    CHECK(bench.byte(0) == 150);
    bench.control(0x20); // high byte
    bench.begin();
    bench.device.write(region_timer, 0, 1, 2);
    bench.to_clock(256);
    CHECK(bench.byte(0) == 1);
}

TEST_CASE("PIT: mode 0 goes on through zero, as Linux's calibration reads it", "[pit8254]") {
    Bench bench;
    bench.control(0x30);
    bench.begin();
    bench.load(0, 100);
    bench.to_clock(101);
    CHECK(bench.word(0) == 0xffff);
}

TEST_CASE("PIT: mode 3 counts by twos and is high for half a period", "[pit8254]") {
    Bench bench;
    bench.control(0x36);
    bench.begin();
    bench.load(0, 1000);
    bench.to_clock(100);
    CHECK(bench.word(0) == 800);
    CHECK((bench.status(0) & 0x80) != 0);
    bench.to_clock(600);
    CHECK(bench.word(0) == 800);
    CHECK((bench.status(0) & 0x80) == 0);
    CHECK(bench.irq.rising_edges == 0);
    bench.to_clock(1000);
    CHECK(bench.irq.rising_edges == 1);
}

TEST_CASE("PIT: mode 4 strobes once", "[pit8254]") {
    Bench bench;
    bench.control(0x38);
    bench.begin();
    bench.load(0, 500);
    CHECK((bench.status(0) & 0x80) != 0);
    bench.to_clock(500);
    CHECK((bench.status(0) & 0x80) == 0);
    bench.clock.advance(100'000'000);
    CHECK(bench.irq.rising_edges == 1);
}

TEST_CASE("PIT: counts in decimal", "[pit8254]") {
    Bench bench;
    bench.control(0x35);
    bench.begin();
    bench.load(0, 0x1234);
    bench.to_clock(35);
    CHECK(bench.word(0) == 0x1199);
}

TEST_CASE("PIT: the read-back command latches several, status first", "[pit8254]") {
    Bench bench;
    bench.control(0x34);
    bench.control(0x76);
    bench.begin();
    bench.load(0, 1000);
    bench.load(1, 2000);
    bench.to_clock(100);
    bench.control(0xc6); // counters 0 and 1, both
    bench.to_clock(200);
    CHECK(bench.byte(0) == 0xb4);
    CHECK(bench.word(0) == 900);
    CHECK(bench.byte(1) == 0xb6);
    CHECK(bench.word(1) == 1800);
    CHECK(bench.word(0) == 800);
}

TEST_CASE("PIT: port 0x61 opens counter 2's gate and shows its output", "[pit8254]") {
    Bench bench;
    CHECK((bench.port_61() & control_writable) == 0);
    bench.control(0xb0);
    bench.load(2, 1000); // the gate is closed
    bench.clock.advance(10'000'000);
    CHECK_FALSE(bench.output_2());
    CHECK(bench.word(2) == 1000);
    bench.begin();
    bench.device.write(region_control, 0, 1, 0xfd);
    CHECK((bench.port_61() & 0xcf) == 0x0d);
    bench.to_clock(600);
    CHECK(bench.word(2) == 400);
    bench.device.write(region_control, 0, 1, 0);
    bench.clock.advance(10'000'000);
    CHECK(bench.word(2) == 400);
    bench.begin();
    bench.device.write(region_control, 0, 1, 1);
    bench.to_clock(399);
    CHECK_FALSE(bench.output_2());
    bench.to_clock(400);
    CHECK(bench.output_2());
    CHECK(bench.irq.rising_edges == 0);
}

TEST_CASE("PIT: a rising gate triggers modes 1 and 5 and starts mode 2 again", "[pit8254]") {
    Bench bench;
    bench.control(0xb2);
    bench.load(2, 1000);
    CHECK(bench.output_2());
    bench.begin();
    bench.device.write(region_control, 0, 1, 1);
    CHECK_FALSE(bench.output_2());
    bench.to_clock(1000);
    CHECK(bench.output_2());
    bench.control(0xb4);
    bench.load(2, 1000);
    bench.begin();
    bench.to_clock(300);
    bench.device.write(region_control, 0, 1, 0);
    bench.begin();
    bench.device.write(region_control, 0, 1, 1);
    bench.to_clock(100);
    CHECK(bench.word(2) == 900);
}

TEST_CASE("PIT: the refresh bit toggles", "[pit8254]") {
    Bench bench;
    unsigned toggles = 0;
    unsigned last = bench.port_61() & control_refresh;
    for (unsigned i = 0; i < 1000; ++i) {
        bench.clock.advance(1'000);
        const unsigned now = bench.port_61() & control_refresh;
        toggles += now != last ? 1 : 0;
        last = now;
    }
    CHECK(toggles >= 65);
    CHECK(toggles <= 67);
}

TEST_CASE("PIT: a guest can't have more edges than the host bears", "[pit8254]") {
    Bench bench;
    bench.control(0x34);
    bench.load(0, 2);
    bench.clock.advance(1'000'000'000);
    CHECK(bench.irq.rising_edges <= 5001);
    CHECK(bench.irq.rising_edges >= 4900);
}

TEST_CASE("PIT: restored on another clock it goes on where it stood", "[pit8254]") {
    Bench source, target;
    source.control(0x34);
    source.begin();
    source.load(0, 10000);
    source.to_clock(4000);
    StateWriter writer;
    source.device.save(writer);
    target.clock.advance(3'000'000'000);
    StateReader reader(writer.bytes());
    target.device.restore(reader);
    target.begin();
    target.to_clock(5990);
    CHECK(target.irq.rising_edges == 0);
    target.to_clock(6001);
    CHECK(target.irq.rising_edges == 1);
}
