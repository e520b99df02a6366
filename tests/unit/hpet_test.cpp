#include "devices/hpet/hpet.h"
#include "tests/fakes/fakes.h"
#include "vmm/base/error.h"

#include <array>
#include <catch2/catch.hpp>

using namespace coldstart;
using namespace coldstart::hpet;

namespace {

constexpr std::uint64_t us = 1000;
constexpr std::uint64_t ticks_a_us = 100;

struct Bench {
    std::uint64_t get(std::uint64_t offset, unsigned width = 8) {
        return hpet.read(0, offset, width);
    }
    void put(std::uint64_t offset, std::uint64_t value, unsigned width = 8) {
        hpet.write(0, offset, width, value);
    }
    static std::uint64_t timer(unsigned index, std::uint64_t reg) {
        return reg_timers + index * timer_stride + reg;
    }
    void configure(unsigned index, unsigned gsi, std::uint64_t bits) {
        put(timer(index, timer_configuration), std::uint64_t{gsi} << timer_route_shift | bits);
    }
    void compare(unsigned index, std::uint64_t value) {
        put(timer(index, timer_comparator), value);
    }
    void run(bool on = true) { put(reg_configuration, on ? configuration_enable : 0); }

    std::array<fakes::FakeIrqLine, 2> irqs;
    fakes::FakeClock clock;
    std::array<IrqLine*, 2> lines = {&irqs[0], &irqs[1]};
    std::array<std::uint32_t, 2> gsis = {20, 21};
    Hpet hpet{lines, gsis, clock};
};

} // namespace

TEST_CASE("hpet: says what it is", "[hpet]") {
    Bench bench;
    const std::uint64_t caps = bench.get(reg_capabilities);
    CHECK(caps >> 32 == 10'000'000);
    CHECK((caps & 0xffff'ffff) == 0x8086'2201);
    CHECK(bench.get(reg_capabilities + 4, 4) == 10'000'000);
    CHECK(bench.get(Bench::timer(2, timer_configuration) + 4, 4) == 0x0030'0000);
    CHECK(bench.get(Bench::timer(3, timer_configuration)) == 0);
    CHECK(bench.get(reg_counter, 2) == 0xffff);
    CHECK(bench.get(reg_counter + 4, 8) == ~0ull);
    bench.put(reg_configuration, 3); // no legacy replacement
    CHECK(bench.get(reg_configuration) == 1);
    bench.configure(0, 5, timer_interrupt); // no such route
    CHECK((bench.get(Bench::timer(0, timer_configuration)) & timer_route) == 0);
    CHECK_THROWS_AS(Hpet(bench.lines, std::array<std::uint32_t, 2>{20, 20}, bench.clock), Error);
    CHECK_THROWS_AS(Hpet(bench.lines, std::array<std::uint32_t, 2>{20, 32}, bench.clock), Error);
}

TEST_CASE("hpet: the counter runs while enabled, and takes writes while halted", "[hpet]") {
    Bench bench;
    bench.clock.advance(5 * us);
    CHECK(bench.get(reg_counter) == 0);
    bench.put(reg_counter, 0xffff'fff0);
    bench.run();
    bench.clock.advance(1 * us);
    CHECK(bench.get(reg_counter) == 0xffff'fff0 + 100ull);
    CHECK(bench.get(reg_counter + 4, 4) == 1);
    bench.put(reg_counter, 7);
    CHECK(bench.get(reg_counter) == 0xffff'fff0 + 100ull);
    bench.run(false);
    bench.clock.advance(1 * us);
    CHECK(bench.get(reg_counter) == 0xffff'fff0 + 100ull);
    bench.put(reg_counter + 4, 0, 4);
    CHECK(bench.get(reg_counter) == 0x54);
}

TEST_CASE("hpet: one-shot, by edge and by level", "[hpet]") {
    Bench bench;
    bench.run();
    SECTION("edge") {
        bench.configure(0, 20, timer_interrupt);
        bench.compare(0, bench.get(reg_counter) + 10 * ticks_a_us);
        bench.clock.advance(9 * us);
        CHECK(bench.irqs[0].rising_edges == 0);
        bench.clock.advance(1 * us);
        CHECK(bench.irqs[0].rising_edges == 1);
        CHECK_FALSE(bench.irqs[0].level);
        CHECK(bench.get(reg_status) == 0);
        bench.clock.advance(100'000'000'000);
        CHECK(bench.irqs[0].rising_edges == 1);
    }
    SECTION("level") {
        bench.configure(2, 21, timer_interrupt | timer_level);
        bench.compare(2, 10 * ticks_a_us);
        bench.clock.advance(10 * us);
        CHECK(bench.irqs[1].level);
        CHECK(bench.get(reg_status) == 4);
        bench.put(reg_status, 3);
        CHECK(bench.irqs[1].level);
        bench.put(reg_status, 4);
        CHECK_FALSE(bench.irqs[1].level);
    }
    SECTION("without its interrupt, a level timer still shows its status") {
        bench.configure(1, 21, timer_level);
        bench.compare(1, 10 * ticks_a_us);
        bench.clock.advance(11 * us);
        CHECK_FALSE(bench.irqs[1].level);
        CHECK(bench.get(reg_status) == 2);
        bench.configure(1, 21, timer_level | timer_interrupt);
        CHECK(bench.irqs[1].level);
        bench.run(false);
        CHECK_FALSE(bench.irqs[1].level);
    }
    SECTION("just missed, it comes at once; long missed, it does not") {
        bench.clock.advance(20'000'000);
        const std::uint64_t now = bench.get(reg_counter);
        bench.configure(0, 20, timer_interrupt);
        bench.compare(0, now - Hpet::late_ticks - 1);
        CHECK(bench.irqs[0].rising_edges == 0);
        bench.compare(0, now - 5);
        CHECK(bench.irqs[0].rising_edges == 1);
        bench.compare(0, now);
        CHECK(bench.irqs[0].rising_edges == 2);
    }
    SECTION("a comparator nobody set is no match") {
        bench.configure(0, 20, timer_interrupt);
        bench.run(false);
        bench.run();
        bench.clock.advance(1'000'000'000);
        CHECK(bench.irqs[0].rising_edges == 0);
    }
}

TEST_CASE("hpet: 32 bits wrap, and match every time around", "[hpet]") {
    Bench bench;
    bench.put(reg_counter, 0x1'ffff'ff00);
    bench.run();
    bench.configure(0, 20, timer_interrupt | timer_32_bit_mode);
    bench.compare(0, 0xffff'ffff'0000'0100);
    CHECK(bench.get(Bench::timer(0, timer_comparator)) == 0x100);
    bench.clock.advance(0x200 * tick_ns);
    CHECK(bench.irqs[0].rising_edges == 1);
    bench.clock.advance((1ull << 32) * tick_ns);
    CHECK(bench.irqs[0].rising_edges == 2);
}

TEST_CASE("hpet: periodic, as Linux programs it", "[hpet]") {
    Bench bench;
    bench.run();
    bench.configure(0, 20, timer_interrupt | timer_periodic | timer_set_value | timer_32_bit_mode);
    const std::uint64_t start = bench.get(reg_counter);
    bench.put(Bench::timer(0, timer_comparator), start + 1000 * ticks_a_us, 4);
    CHECK((bench.get(Bench::timer(0, timer_configuration)) & timer_set_value) == 0);
    bench.put(Bench::timer(0, timer_comparator), 100 * ticks_a_us, 4);
    bench.clock.advance(999 * us);
    CHECK(bench.irqs[0].rising_edges == 0);
    bench.clock.advance(1 * us);
    CHECK(bench.irqs[0].rising_edges == 1);
    bench.clock.advance(1000 * us);
    CHECK(bench.irqs[0].rising_edges == 11);
    CHECK(bench.get(Bench::timer(0, timer_comparator)) == start + 2100 * ticks_a_us);

    SECTION("too short a period does not busy the host") {
        bench.put(Bench::timer(0, timer_comparator), 1, 4);
        bench.clock.advance(1'000'000 * us);
        CHECK(bench.irqs[0].rising_edges < 11 + 50'100);
        CHECK(bench.irqs[0].rising_edges > 11 + 40'000);
    }
    SECTION("a period of zero is none") {
        bench.put(Bench::timer(0, timer_comparator), 0, 4);
        bench.clock.advance(1'000'000 * us);
        CHECK(bench.irqs[0].rising_edges == 12);
    }
}

TEST_CASE("hpet: goes on where it was on another host's clock", "[hpet]") {
    Bench source, target;
    target.clock.advance(123'456'789'000);
    source.run();
    source.configure(1, 21, timer_interrupt | timer_periodic | timer_set_value);
    source.compare(1, 100 * ticks_a_us);
    source.clock.advance(30 * us);
    StateWriter writer;
    source.hpet.save(writer);
    StateReader reader(writer.bytes());
    target.hpet.restore(reader);
    CHECK(target.get(reg_counter) == source.get(reg_counter));
    target.clock.advance(69 * us);
    CHECK(target.irqs[1].rising_edges == 0);
    target.clock.advance(1 * us);
    CHECK(target.irqs[1].rising_edges == 1);
    target.clock.advance(200 * us);
    CHECK(target.irqs[1].rising_edges == 3);
}
