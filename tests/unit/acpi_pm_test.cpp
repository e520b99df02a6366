#include "devices/acpi_pm/acpi_pm.h"
#include "devices/core/acpi/reset_control.h"
#include "tests/fakes/fakes.h"

#include <catch2/catch.hpp>

using namespace coldstart;
using namespace coldstart::acpi_pm;
using namespace coldstart::rst_cnt;

namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::uint64_t event_enable = 2; // offset of PM1_EN

struct Pm {
    explicit Pm(const AcpiPmOptions& options = {}) : pm(sci, clock, power, options) {}

    std::uint64_t status() { return pm.read(region_pm1_event, 0, 2); }
    void clear(unsigned bits) { pm.write(region_pm1_event, 0, 2, bits); }
    void enable(unsigned bits) { pm.write(region_pm1_event, event_enable, 2, bits); }
    std::uint64_t timer() { return pm.read(region_pm_timer, 0, 4); }
    void control(unsigned value) { pm.write(region_pm1_control, 0, 2, value); }

    fakes::FakeIrqLine sci;
    fakes::FakeClock clock;
    fakes::FakePower power;
    AcpiPm pm;
};

} // namespace

TEST_CASE("acpi-pm: the timer counts at 3.579545 MHz", "[acpi_pm]") {
    Pm pm;
    CHECK(pm.timer() == 0);
    pm.clock.advance(second_ns);
    CHECK(pm.timer() == timer_hz);
    pm.clock.advance(second_ns / 2);
    CHECK(pm.timer() == timer_hz * 3 / 2);
    pm.clock.advance(1'000'000 * second_ns); // eleven days: no drift, 32 bits
    CHECK(pm.timer() == ((timer_hz * 1'000'001 + timer_hz / 2) & 0xffffffff));
    CHECK(pm.pm.read(region_pm_timer, 0, 1) == (pm.timer() & 0xff));
    CHECK(pm.pm.read(region_pm_timer, 2, 2) == pm.timer() >> 16);
    pm.pm.write(region_pm_timer, 0, 4, 0);
    CHECK(pm.timer() == ((timer_hz * 1'000'001 + timer_hz / 2) & 0xffffffff));
}

TEST_CASE("acpi-pm: a 24-bit timer wraps at 24 bits", "[acpi_pm]") {
    Pm pm({.timer_32_bits = false});
    pm.clock.advance(10 * second_ns);
    CHECK(pm.timer() == ((timer_hz * 10) & 0xffffff));
    CHECK_FALSE(pm.pm.acpi().fixed_hardware->pm_timer_32_bits);
}

TEST_CASE("acpi-pm: TMR_STS follows the highest bit of the timer", "[acpi_pm]") {
    Pm pm({.timer_32_bits = false});
    constexpr std::uint64_t half_ns = (1ull << 23) * second_ns / timer_hz; // 2.34 s
    pm.clock.advance(half_ns - 1);
    CHECK((pm.status() & pm1_timer) == 0);
    pm.clock.advance(2);
    CHECK((pm.status() & pm1_timer) != 0); // noticed without any interrupt enabled
    CHECK_FALSE(pm.sci.level);
    pm.enable(pm1_timer);
    CHECK(pm.sci.level);
    pm.clear(pm1_timer);
    CHECK_FALSE(pm.sci.level);
    pm.clock.advance(half_ns - 10);
    CHECK_FALSE(pm.sci.level);
    pm.clock.advance(20);
    CHECK(pm.sci.level); // and enabled, it interrupts by itself
    pm.clock.advance(half_ns * 4);
    pm.clear(pm1_timer);
    CHECK((pm.status() & pm1_timer) == 0);
}

TEST_CASE("acpi-pm: the power button interrupts until it is acknowledged", "[acpi_pm]") {
    Pm pm;
    pm.pm.press_power_button();
    CHECK(pm.status() == pm1_power_button);
    CHECK_FALSE(pm.sci.level);
    pm.enable(pm1_power_button);
    CHECK(pm.sci.level);
    pm.clear(pm1_timer); // another bit
    CHECK(pm.sci.level);
    pm.pm.write(region_pm1_event, 0, 1, 0xff); // the low byte alone does not hold it
    CHECK(pm.sci.level);
    pm.pm.write(region_pm1_event, 1, 1, pm1_power_button >> 8);
    CHECK_FALSE(pm.sci.level);
    CHECK(pm.status() == 0);
    CHECK(pm.pm.read(region_pm1_event, event_enable, 2) == pm1_power_button);
}

TEST_CASE("acpi-pm: one wide write clears status and sets enables", "[acpi_pm]") {
    Pm pm;
    pm.pm.press_power_button();
    pm.pm.write(region_pm1_event, 0, 4, ~0ull);
    CHECK(pm.pm.read(region_pm1_event, 0, 4) == std::uint64_t{pm1_enable_mask} << 16);
    pm.pm.write(region_pm1_event, 3, 1, 0);
    CHECK(pm.pm.read(region_pm1_event, 2, 2) == (pm1_enable_mask & 0xff));
}

TEST_CASE("acpi-pm: S5 powers off, other sleeps wake at once", "[acpi_pm]") {
    Pm pm;
    CHECK(pm.pm.read(region_pm1_control, 0, 2) == cnt_sci_enabled);
    const unsigned s5 = unsigned{pm.pm.acpi().fixed_hardware->s5_sleep_type}
                        << cnt_sleep_type_shift;
    pm.control(s5 | cnt_sci_enabled); // ACPICA writes the type first, then both
    CHECK(pm.power.power_offs == 0);
    pm.control(s5 | cnt_sci_enabled | cnt_sleep_enable);
    CHECK(pm.power.power_offs == 1);
    CHECK(pm.pm.read(region_pm1_control, 0, 2) == (s5 | cnt_sci_enabled)); // SLP_EN reads 0

    pm.enable(0xffff);
    pm.control(1u << cnt_sleep_type_shift | cnt_sleep_enable);
    CHECK(pm.power.power_offs == 1);
    CHECK(pm.status() == pm1_wake);
    CHECK_FALSE(pm.sci.level);
    pm.clear(pm1_wake);
    CHECK(pm.status() == 0);

    pm.pm.write(region_pm1_control, 1, 1, (s5 | cnt_sleep_enable) >> 8); // a byte is enough
    CHECK(pm.power.power_offs == 2);
}

TEST_CASE("acpi-pm: SCI_EN is fixed, or the chipset's", "[acpi_pm]") {
    Pm fixed;
    fixed.control(0);
    CHECK(fixed.pm.read(region_pm1_control, 0, 2) == cnt_sci_enabled);
    fixed.pm.set_sci_enabled(false);
    CHECK(fixed.pm.read(region_pm1_control, 0, 2) == cnt_sci_enabled);

    Pm legacy({.sci_always_enabled = false});
    CHECK(legacy.pm.read(region_pm1_control, 0, 2) == 0);
    legacy.enable(pm1_power_button);
    legacy.pm.press_power_button();
    CHECK_FALSE(legacy.sci.level);
    legacy.pm.set_sci_enabled(true);
    CHECK(legacy.sci.level);
    legacy.pm.set_sci_enabled(false);
    CHECK_FALSE(legacy.sci.level);
}

TEST_CASE("acpi-pm: the reset register resets when its CPU bit is written", "[acpi_pm]") {
    Pm pm;
    pm.pm.write(region_reset, 0, 1, reset_system); // arms a hard reset, as firmware does
    CHECK(pm.power.resets == 0);
    CHECK(pm.pm.read(region_reset, 0, 1) == reset_system);
    pm.pm.write(region_reset, 0, 1, pm.pm.acpi().fixed_hardware->reset_value);
    CHECK(pm.power.resets == 1);
}

TEST_CASE("acpi-pm: the timer goes on where a snapshot left it", "[acpi_pm]") {
    Pm source, target;
    source.enable(pm1_timer);
    source.clock.advance(599 * second_ns); // the highest bit changes at 599.9 s
    StateWriter writer;
    source.pm.save(writer);
    target.clock.advance(12'345'678);
    StateReader reader(writer.bytes());
    target.pm.restore(reader);
    CHECK(target.timer() == source.timer());
    CHECK_FALSE(target.sci.level);
    target.clock.advance(second_ns);
    CHECK(target.sci.level);
}
