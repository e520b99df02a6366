#include "devices/cmos/cmos.h"
#include "devices/cmos/pc_contents.h"
#include "tests/fakes/fakes.h"
#include "vmm/base/error.h"

#include <catch2/catch.hpp>
#include <ctime>

using namespace coldstart;
using namespace coldstart::cmos;

namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;

struct Rtc {
    unsigned get(std::size_t index) {
        cmos.write(0, port_index, 1, index);
        return static_cast<unsigned>(cmos.read(0, port_data, 1));
    }
    void set(std::size_t index, unsigned value) {
        cmos.write(0, port_index, 1, index);
        cmos.write(0, port_data, 1, value);
    }
    void set_date(unsigned century, unsigned year, unsigned month, unsigned day) {
        set(reg_century, century);
        set(reg_year, year);
        set(reg_month, month);
        set(reg_day, day);
    }
    void set_clock(unsigned hours, unsigned minutes, unsigned seconds) {
        set(reg_hours, hours);
        set(reg_minutes, minutes);
        set(reg_seconds, seconds);
    }
    /// HHMMSS as the registers show it, in hexadecimal.
    unsigned clock_hex() { return get(reg_hours) << 16 | get(reg_minutes) << 8 | get(reg_seconds); }
    unsigned date_hex() {
        return get(reg_century) << 24 | get(reg_year) << 16 | get(reg_month) << 8 | get(reg_day);
    }

    fakes::FakeIrqLine irq;
    fakes::FakeClock clock;
    Cmos cmos{irq, clock};
};

} // namespace

TEST_CASE("cmos: shows the host's time in BCD and 24 hours", "[cmos]") {
    Rtc rtc; // the fake clock stands at 2026-01-02 03:04:06, a Friday
    CHECK(rtc.clock_hex() == 0x030406);
    CHECK(rtc.date_hex() == 0x20260102);
    CHECK(rtc.get(reg_weekday) == 6);
    CHECK(rtc.get(reg_b) == b_24_hours);
    CHECK(rtc.get(reg_d) == d_valid_ram_and_time);
    rtc.clock.advance(55 * second_ns);
    CHECK(rtc.clock_hex() == 0x030501);
    CHECK(rtc.cmos.read(0, port_index, 1) == 0xff);
}

TEST_CASE("cmos: the calendar agrees with the C library's", "[cmos]") {
    constexpr Format bcd{}, binary_12{.binary = true, .hours_24 = false};
    // Every 9 days and some, from 1970 past 2100: leap years, leap days, a century without one.
    for (std::int64_t time = 0; time < 4'200'000'000; time += 9 * 86'400 + 3'671) {
        const std::time_t t = time;
        std::tm tm{};
        ::gmtime_r(&t, &tm);
        const TimeBytes bytes = encode_time(time, binary_12);
        REQUIRE(bytes.seconds == tm.tm_sec);
        REQUIRE(bytes.minutes == tm.tm_min);
        REQUIRE((bytes.hours & 0x7f) == (tm.tm_hour + 11) % 12 + 1);
        REQUIRE((bytes.hours >= 0x80) == (tm.tm_hour >= 12));
        REQUIRE(bytes.weekday == tm.tm_wday + 1);
        REQUIRE(bytes.day == tm.tm_mday);
        REQUIRE(bytes.month == tm.tm_mon + 1);
        REQUIRE(bytes.century * 100 + bytes.year == tm.tm_year + 1900);
        REQUIRE(decode_time(bytes, binary_12) == time);
        REQUIRE(decode_time(encode_time(time, bcd), bcd) == time);
    }
}

TEST_CASE("cmos: the time set by the guest runs on, over leap days and new years", "[cmos]") {
    Rtc rtc;
    struct Case {
        unsigned year, month, day, next;
    };
    for (const Case c : {Case{0x24, 0x02, 0x28, 0x20240229}, Case{0x23, 0x02, 0x28, 0x20230301},
                         Case{0x00, 0x02, 0x28, 0x20000229}, Case{0x99, 0x12, 0x31, 0x21000101}}) {
        rtc.set(reg_b, b_set | b_24_hours);
        rtc.set_date(0x20, c.year, c.month, c.day);
        rtc.set_clock(0x23, 0x59, 0x59);
        rtc.clock.advance(10 * second_ns);
        CHECK(rtc.clock_hex() == 0x235959); // stands still while SET
        rtc.set(reg_b, b_24_hours);
        rtc.clock.advance(second_ns);
        CHECK(rtc.clock_hex() == 0);
        CHECK(rtc.date_hex() == c.next);
    }
    // 2100 is no leap year.
    rtc.set(reg_b, b_set | b_24_hours);
    rtc.set_date(0x21, 0x00, 0x02, 0x28);
    rtc.set_clock(0x23, 0x59, 0x59);
    rtc.set(reg_b, b_24_hours);
    rtc.clock.advance(second_ns);
    CHECK(rtc.date_hex() == 0x21000301);
}

TEST_CASE("cmos: fields written one by one without SET do not disturb each other", "[cmos]") {
    Rtc rtc;
    rtc.set(reg_day, 0x31);
    rtc.set(reg_month, 0x02); // 31 February for a moment,
    CHECK(rtc.get(reg_day) == 0x31);
    rtc.set(reg_day, 0x05);
    rtc.clock.advance(second_ns);
    CHECK(rtc.date_hex() == 0x20260205);
}

TEST_CASE("cmos: twelve hours and binary numbers", "[cmos]") {
    Rtc rtc;
    rtc.set(reg_b, b_set); // 12 hours, BCD
    struct Hour {
        unsigned twelve, twenty_four;
    };
    for (const Hour h : {Hour{0x12, 0x00}, Hour{0x01, 0x01}, Hour{0x11, 0x11}, Hour{0x92, 0x12},
                         Hour{0x81, 0x13}, Hour{0x91, 0x23}}) {
        rtc.set(reg_b, b_set);
        rtc.set(reg_hours, h.twelve);
        rtc.set(reg_b, b_set | b_24_hours);
        CHECK(rtc.get(reg_hours) == h.twenty_four);
        rtc.set(reg_b, b_set);
        CHECK(rtc.get(reg_hours) == h.twelve);
    }
    rtc.set(reg_b, b_set);
    rtc.set_clock(0x91, 0x59, 0x59); // 11:59:59 PM
    rtc.set(reg_b, 0);
    rtc.clock.advance(second_ns);
    CHECK(rtc.clock_hex() == 0x120000); // 12 AM
    rtc.set(reg_b, b_binary);
    CHECK(rtc.clock_hex() == 0x0c0000);
    rtc.clock.advance(12 * 3600 * second_ns + 59 * second_ns);
    CHECK(rtc.clock_hex() == 0x8c003b);
    CHECK(rtc.get(reg_century) == 20);
    CHECK(rtc.get(reg_year) == 26);
}

TEST_CASE("cmos: UIP announces an update and is gone after it", "[cmos]") {
    Rtc rtc; // a whole second has just begun
    CHECK((rtc.get(reg_a) & a_update_in_progress) == 0);
    rtc.clock.advance(second_ns - 244'142);
    CHECK((rtc.get(reg_a) & a_update_in_progress) == 0);
    rtc.clock.advance(1);
    CHECK((rtc.get(reg_a) & a_update_in_progress) != 0);
    CHECK(rtc.get(reg_seconds) == 0x06);
    rtc.clock.advance(244'140);
    CHECK((rtc.get(reg_a) & a_update_in_progress) != 0);
    rtc.clock.advance(1);
    CHECK((rtc.get(reg_a) & a_update_in_progress) == 0);
    CHECK(rtc.get(reg_seconds) == 0x07);
    rtc.set(reg_b, b_set | b_24_hours);
    rtc.clock.advance(second_ns - 1);
    CHECK((rtc.get(reg_a) & a_update_in_progress) == 0); // no updates, no announcement
}

TEST_CASE("cmos: leaving divider reset updates half a second later", "[cmos]") {
    Rtc rtc; // as Linux's mc146818_set_time does
    rtc.clock.advance(300'000'000);
    const unsigned control = rtc.get(reg_b), select = rtc.get(reg_a) & 0x7f;
    rtc.set(reg_b, control | b_set);
    rtc.set(reg_a, select | a_divider_reset);
    rtc.set_date(0x20, 0x30, 0x06, 0x15);
    rtc.set_clock(0x12, 0x00, 0x00);
    rtc.set(reg_b, control);
    rtc.clock.advance(5 * second_ns);
    CHECK(rtc.clock_hex() == 0x120000);
    rtc.set(reg_a, select);
    rtc.clock.advance(499'999'999);
    CHECK(rtc.clock_hex() == 0x120000);
    rtc.clock.advance(1);
    CHECK(rtc.clock_hex() == 0x120001);
    CHECK(rtc.date_hex() == 0x20300615);
}

TEST_CASE("cmos: the update-ended interrupt", "[cmos]") {
    Rtc rtc;
    rtc.set(reg_a, 0x20); // no periodic flag in between
    rtc.get(reg_c);
    rtc.clock.advance(second_ns);
    CHECK(rtc.get(reg_c) == c_update_ended); // the flag needs no enabled interrupt
    CHECK(rtc.get(reg_c) == 0);
    rtc.set(reg_b, b_24_hours | b_update_ended);
    CHECK_FALSE(rtc.irq.level);
    rtc.clock.advance(second_ns - 1);
    CHECK_FALSE(rtc.irq.level);
    rtc.clock.advance(1);
    CHECK(rtc.irq.level);
    rtc.clock.advance(10 * second_ns);
    CHECK(rtc.irq.rising_edges == 1); // nobody has looked: no more work for the host
    CHECK(rtc.get(reg_c) == (c_interrupt | c_update_ended));
    CHECK_FALSE(rtc.irq.level);
    rtc.clock.advance(second_ns);
    CHECK(rtc.irq.level);
    rtc.set(reg_b, b_24_hours);
    CHECK_FALSE(rtc.irq.level);
    rtc.set(reg_b, b_24_hours | b_set | b_update_ended);
    CHECK(rtc.get(reg_b) == (b_24_hours | b_set)); // SET clears UIE
}

TEST_CASE("cmos: periodic interrupts come at the selected rate", "[cmos]") {
    struct Rate {
        unsigned select, hz;
    };
    for (const Rate rate :
         {Rate{1, 256}, Rate{2, 128}, Rate{3, 8192}, Rate{6, 1024}, Rate{9, 128}, Rate{15, 2}}) {
        CAPTURE(rate.select);
        Rtc rtc;
        rtc.set(reg_a, 0x20 | rate.select);
        rtc.get(reg_c);
        rtc.set(reg_b, b_24_hours | b_periodic);
        unsigned count = 0;
        for (unsigned step = 0; step < 20'000; ++step) { // 50 us each: a second in all
            rtc.clock.advance(50'000);
            if (rtc.irq.level) {
                CHECK((rtc.get(reg_c) & (c_interrupt | c_periodic)) == (c_interrupt | c_periodic));
                ++count;
            }
        }
        CHECK(count == rate.hz);
    }
    Rtc rtc;
    rtc.set(reg_a, 0x20); // rate 0: none
    rtc.get(reg_c);
    rtc.set(reg_b, b_24_hours | b_periodic);
    rtc.clock.advance(10 * second_ns);
    CHECK_FALSE(rtc.irq.level);
    CHECK((rtc.get(reg_c) & c_periodic) == 0);
}

TEST_CASE("cmos: alarms, with bytes that match anything", "[cmos]") {
    Rtc rtc; // 03:04:06
    const auto set_alarm = [&](unsigned h, unsigned m, unsigned s) {
        rtc.set(reg_alarm_hours, h);
        rtc.set(reg_alarm_minutes, m);
        rtc.set(reg_alarm_seconds, s);
        rtc.get(reg_c);
        rtc.set(reg_b, b_24_hours | b_alarm);
    };
    set_alarm(0x03, 0x04, 0x10);
    rtc.clock.advance(4 * second_ns - 1);
    CHECK_FALSE(rtc.irq.level);
    rtc.clock.advance(1);
    CHECK(rtc.irq.level);
    CHECK((rtc.get(reg_c) & (c_interrupt | c_alarm)) == (c_interrupt | c_alarm));

    // 03:04:10 now: the same alarm comes again in a day, and not before.
    rtc.clock.advance(86'399 * second_ns);
    CHECK_FALSE(rtc.irq.level);
    rtc.clock.advance(second_ns);
    CHECK(rtc.irq.level);

    set_alarm(0xc0, 0xff, 0x30); // every minute at 30 s
    rtc.clock.advance(20 * second_ns);
    CHECK(rtc.irq.level);
    rtc.get(reg_c);
    rtc.clock.advance(60 * second_ns);
    CHECK(rtc.irq.level);

    set_alarm(0xff, 0x00, 0x00); // every full hour; it is 03:05:30
    rtc.clock.advance((54 * 60 + 29) * second_ns);
    CHECK_FALSE(rtc.irq.level);
    rtc.clock.advance(second_ns);
    CHECK(rtc.irq.level);

    set_alarm(0x25, 0x00, 0x00); // no such hour
    rtc.clock.advance(3 * 86'400 * second_ns);
    CHECK_FALSE(rtc.irq.level);
    CHECK((rtc.get(reg_c) & c_alarm) == 0);
}

TEST_CASE("cmos: the next alarm agrees with trying every second", "[cmos]") {
    constexpr Format twelve{.binary = false, .hours_24 = false};
    for (const AlarmBytes alarm : {AlarmBytes{0x59, 0x59, 0x91}, AlarmBytes{0x00, 0xff, 0x12},
                                   AlarmBytes{0xff, 0x30, 0xc0}, AlarmBytes{0xff, 0xff, 0xff}}) {
        for (std::int64_t start = 0; start < 2 * 86'400; start += 3'517) {
            std::int64_t distance = 1;
            for (;; ++distance) {
                const TimeBytes t = encode_time(start + distance, twelve);
                const auto matches = [](unsigned a, unsigned b) { return a >= 0xc0 || a == b; };
                if (matches(alarm.seconds, t.seconds) && matches(alarm.minutes, t.minutes) &&
                    matches(alarm.hours, t.hours))
                    break;
            }
            REQUIRE(seconds_to_alarm(alarm, twelve, start) == distance);
        }
    }
}

TEST_CASE("cmos: RAM is preset by the board and kept over a reset, as is the time", "[cmos]") {
    fakes::FakeIrqLine irq;
    fakes::FakeClock clock;
    constexpr std::array<std::pair<std::uint8_t, std::uint8_t>, 2> preset = {
        {{0x34, 12}, {0x35, 34}}};
    Cmos device(irq, clock, {.nvram = preset});
    const auto get = [&](unsigned index) {
        device.write(0, port_index, 1, index | 0x80); // NMI masked: the same register
        return device.read(0, port_data, 1);
    };
    const auto set = [&](unsigned index, unsigned value) {
        device.write(0, port_index, 1, index);
        device.write(0, port_data, 1, value);
    };
    CHECK(get(0x34) == 12);
    CHECK(get(0x35) == 34);
    set(0x0f, 0x0a);
    set(reg_hours, 0x20);
    set(reg_b, b_24_hours | b_update_ended | b_binary);
    clock.advance(second_ns);
    CHECK(irq.level);
    device.reset();
    CHECK_FALSE(irq.level);
    CHECK(get(0x0f) == 0x0a);
    CHECK(get(reg_hours) == 0x20);
    CHECK(get(reg_b) == b_24_hours);
    clock.advance(5 * second_ns);
    CHECK_FALSE(irq.level);

    constexpr std::array<std::pair<std::uint8_t, std::uint8_t>, 1> bad = {{{reg_b, 0}}};
    CHECK_THROWS_AS(Cmos(irq, clock, {.nvram = bad}), Error);
    constexpr std::array<std::pair<std::uint8_t, std::uint8_t>, 1> beyond = {{{0x80, 0}}};
    CHECK_THROWS_AS(Cmos(irq, clock, {.nvram = beyond}), Error);
}

TEST_CASE("cmos: a restored clock has moved on with the world", "[cmos]") {
    Rtc source, target;
    source.set(reg_hours, 0x10); // the guest keeps its own time zone
    source.set(reg_b, b_24_hours | b_alarm);
    source.set(reg_alarm_hours, 0x12);
    StateWriter writer;
    source.cmos.save(writer);
    target.clock.wall_start_ns += 3600ll * 1'000'000'000;
    StateReader reader(writer.bytes());
    target.cmos.restore(reader);
    target.cmos.resume();
    CHECK(target.clock_hex() == 0x110406);
    target.clock.advance(3600 * second_ns);
    CHECK(target.irq.level);
}

TEST_CASE("cmos: the second bank", "[cmos]") {
    fakes::FakeIrqLine irq;
    fakes::FakeClock clock;
    const std::vector<std::pair<std::uint8_t, std::uint8_t>> contents = {{0x0f, 5}, {0x90, 0x77}};
    CHECK_THROWS_AS(Cmos(irq, clock, {.nvram = contents}), Error);
    Cmos cmos(irq, clock, {.nvram = contents, .extended_bank = true});
    REQUIRE(cmos.regions().size() == 2);
    const auto extended = [&](unsigned index) {
        cmos.write(region_extended, port_index, 1, index);
        return cmos.read(region_extended, port_data, 1);
    };
    CHECK(extended(0x10) == 0x77);
    CHECK(extended(0x90) == 0x77); // Linux counts from 128, others from 0
    CHECK(extended(0x0f) == 0);
    cmos.write(region_registers, port_index, 1, 0x0f);
    CHECK(cmos.read(region_registers, port_data, 1) == 5);
    extended(0x02); // no clock register here
    cmos.write(region_extended, port_data, 1, 0xaa);
    cmos.reset();
    CHECK(extended(0x02) == 0xaa);
    cmos.write(region_registers, port_index, 1, 0x0f);
    CHECK(cmos.read(region_registers, port_data, 1) == 5); // the shutdown status, too

    StateWriter writer;
    cmos.save(writer);
    Cmos restored(irq, clock, {.extended_bank = true});
    StateReader reader(writer.bytes());
    restored.restore(reader);
    CHECK(reader.at_end());
    CHECK(restored.read(region_extended, port_data, 1) == 0xaa);
}

TEST_CASE("cmos: what a PC's RAM says of memory, CPUs and boot order", "[cmos]") {
    const auto bytes_of = [](const PcFacts& facts) {
        std::array<unsigned, 128> bytes{};
        for (const auto& [index, value] : pc_contents(facts))
            bytes.at(index) = value;
        return bytes;
    };
    const auto word = [](const auto& bytes, std::size_t at) {
        return bytes[at] | bytes[at + 1] << 8;
    };
    auto bytes = bytes_of({.memory_below_4g_bytes = 256ull << 20, .cpus = 4});
    CHECK(word(bytes, 0x15) == 640);
    CHECK(word(bytes, 0x17) == 0xffff);
    CHECK(word(bytes, 0x30) == 0xffff);
    CHECK((std::uint64_t{word(bytes, 0x34)} << 16) + (16 << 20) == 256ull << 20); // as OVMF does
    CHECK(bytes[0x5b] + bytes[0x5c] + bytes[0x5d] == 0);
    CHECK(bytes[0x5f] == 3);
    CHECK(bytes[0x3d] == 0x32);
    CHECK(bytes[0x38] == 0x41);
    unsigned sum = 0;
    for (std::size_t i = 0x10; i < 0x2e; ++i)
        sum += bytes[i];
    CHECK((bytes[0x2e] << 8 | bytes[0x2f]) == sum);
    CHECK(sum != 0);

    bytes = bytes_of({.memory_below_4g_bytes = 4ull << 20});
    CHECK(word(bytes, 0x17) == 3072);
    CHECK(word(bytes, 0x34) == 0);
    bytes = bytes_of({.memory_below_4g_bytes = 3ull << 30, .memory_above_4g_bytes = 509ull << 30});
    CHECK(word(bytes, 0x34) == (3u << 14) - 256);
    CHECK((std::uint64_t{bytes[0x5b]} << 16 | std::uint64_t{bytes[0x5c]} << 24 |
           std::uint64_t{bytes[0x5d]} << 32) == 509ull << 30);

    fakes::FakeIrqLine irq;
    fakes::FakeClock clock;
    const auto contents = pc_contents({});
    CHECK_NOTHROW(Cmos(irq, clock, {.nvram = contents})); // no clock register among them
}
