#include "devices/acpi_ged/acpi_ged.h"
#include "tests/fakes/fakes.h"

#include <catch2/catch.hpp>

using namespace coldstart;
using namespace coldstart::acpi_ged;

namespace {

struct Ged {
    std::uint64_t read(unsigned region) { return ged.read(region, 0, 1); }
    void write(unsigned region, unsigned value) { ged.write(region, 0, 1, value); }
    void sleep(unsigned type) {
        write(region_sleep_control, type << sleep_type_shift | sleep_enable);
    }

    fakes::FakeIrqLine event;
    fakes::FakePower power;
    AcpiGed ged{event, power};
};

} // namespace

TEST_CASE("acpi-ged: each press of the power button is an interrupt", "[acpi_ged]") {
    Ged ged;
    ged.ged.press_power_button();
    ged.ged.press_power_button();
    CHECK(ged.event.rising_edges == 2);
    CHECK_FALSE(ged.event.level);
    CHECK(ged.power.power_offs == 0);
}

TEST_CASE("acpi-ged: S5 powers off, another state is woken from at once", "[acpi_ged]") {
    Ged ged;
    ged.write(region_sleep_control, s5_sleep_type << sleep_type_shift); // no SLP_EN yet
    CHECK(ged.power.power_offs == 0);
    CHECK(ged.read(region_sleep_control) == s5_sleep_type << sleep_type_shift);
    ged.sleep(3);
    CHECK(ged.power.power_offs == 0);
    CHECK(ged.read(region_sleep_control) == 3u << sleep_type_shift); // SLP_EN reads as zero
    CHECK(ged.read(region_sleep_status) == wake_status);
    ged.write(region_sleep_status, 0x7f);
    CHECK(ged.read(region_sleep_status) == wake_status);
    ged.write(region_sleep_status, wake_status);
    CHECK(ged.read(region_sleep_status) == 0);
    ged.sleep(s5_sleep_type);
    CHECK(ged.power.power_offs == 1);
}

TEST_CASE("acpi-ged: the reset register keeps the kind of reset", "[acpi_ged]") {
    Ged ged;
    ged.write(region_reset, 0x02);
    CHECK(ged.power.resets == 0);
    CHECK(ged.read(region_reset) == 0x02);
    ged.write(region_reset, 0xfe);
    CHECK(ged.power.resets == 1);
    CHECK(ged.read(region_reset) == 0x0a);
    ged.ged.reset();
    CHECK(ged.read(region_reset) == 0);
}

TEST_CASE("acpi-ged: the word that puts a PC into S5 powers off, too", "[acpi_ged]") {
    Ged ged;
    ged.ged.write(region_power_off, 0, 2, 3u << 10 | 1u << 13); // S3
    ged.ged.write(region_power_off, 0, 2, 5u << 10);            // without SLP_EN
    ged.ged.write(region_power_off, 1, 1, 5u << 2 | 1u << 5);   // in bytes
    CHECK(ged.power.power_offs == 0);
    CHECK(ged.ged.read(region_power_off, 0, 2) == 0xffff);
    ged.ged.write(region_power_off, 0, 2, 5u << 10 | 1u << 13);
    CHECK(ged.power.power_offs == 1);
}

TEST_CASE("acpi-ged: accesses wider than a register change nothing", "[acpi_ged]") {
    Ged ged;
    ged.ged.write(region_sleep_control, 0, 2, s5_sleep_type << sleep_type_shift | sleep_enable);
    ged.ged.write(region_reset, 0, 4, 6);
    CHECK(ged.power.power_offs == 0);
    CHECK(ged.power.resets == 0);
    CHECK(ged.ged.read(region_sleep_control, 0, 2) == 0xffff);
}
