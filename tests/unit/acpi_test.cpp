#include "tests/fakes/fake_device.h"
#include "vmm/base/error.h"
#include "vmm/tables/acpi_tables.h"
#include "vmm/tables/sdt.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace coldstart;
using fakes::FakeDevice;

namespace {

struct Fixture {
    std::vector<std::unique_ptr<FakeDevice>> devices;
    std::vector<PlacedDevice> placed;
    std::vector<std::uint32_t> apic_ids{0};

    FakeDevice& add(std::string name, std::string hid) {
        devices.push_back(std::make_unique<FakeDevice>());
        devices.back()->description.name = std::move(name);
        devices.back()->description.hid = std::move(hid);
        placed.push_back({"dev" + std::to_string(devices.size()), devices.back().get(), {}, {}});
        return *devices.back();
    }

    FakeDevice& add_power_management(std::uint32_t sci_gsi) {
        FakeDevice& pm = add("", "");
        pm.region_shapes = {{"event", BusKind::pio, 4},
                            {"control", BusKind::pio, 2},
                            {"timer", BusKind::pio, 4},
                            {"reset", BusKind::pio, 1}};
        pm.line_shapes = {{"sci", false}};
        placed.back().bases = {0x600, 0x604, 0x608, 0xcf9};
        placed.back().gsis = {sci_gsi};
        pm.description.fixed_hardware = AcpiFixedHardware{
            .pm_timer_region = 2, .reset_region = 3, .reset_value = 6, .s5_sleep_type = 5};
        pm.description.fixed_hardware->pm1_control_region = 1;
        return pm;
    }

    AcpiInputs inputs() const {
        AcpiInputs made;
        made.devices = placed;
        made.apic_ids = apic_ids;
        made.base = Gpa(0xe0000);
        made.room_bytes = 0x20000;
        return made;
    }
};

ByteView table(const AcpiTables& tables, std::string_view signature) {
    for (const AcpiTablePlace& place : tables.places) {
        if (place.signature == signature)
            return ByteView(tables.bytes).subspan(place.offset, place.size_bytes);
    }
    return {};
}

/// The table at guest address `address`, as a guest would find it.
ByteView table_at(const AcpiTables& tables, std::uint64_t address) {
    const std::size_t offset = static_cast<std::size_t>(address - tables.rsdp.value);
    const ByteView rest = ByteView(tables.bytes).subspan(offset);
    return rest.first(load_le<std::uint32_t>(rest, 4));
}

std::string signature(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), 4};
}

bool contains(ByteView bytes, std::string_view text) {
    const auto needle = std::as_bytes(std::span(text));
    return std::search(bytes.begin(), bytes.end(), needle.begin(), needle.end()) != bytes.end();
}

std::uint16_t boot_flags(const Fixture& fixture) {
    return load_le<std::uint16_t>(table(build_acpi(fixture.inputs()), "FACP"), 109);
}

std::uint32_t fadt_flags(const Fixture& fixture) {
    return load_le<std::uint32_t>(table(build_acpi(fixture.inputs()), "FACP"), 112);
}

} // namespace

TEST_CASE("a guest finds every table from the RSDP, each with a good checksum", "[acpi]") {
    Fixture fixture;
    fixture.add_power_management(9);
    const AcpiTables tables = build_acpi(fixture.inputs());

    const ByteView rsdp = ByteView(tables.bytes).first(36);
    CHECK(std::string(reinterpret_cast<const char*>(rsdp.data()), 8) == "RSD PTR ");
    CHECK(load_le<std::uint8_t>(rsdp, 15) == 2);
    CHECK(checksum_of(rsdp.first(20)) == 0);
    CHECK(checksum_of(rsdp) == 0);
    CHECK(load_le<std::uint32_t>(rsdp, 16) == 0);

    const ByteView xsdt = table_at(tables, load_le<std::uint64_t>(rsdp, 24));
    CHECK(signature(xsdt) == "XSDT");
    CHECK(checksum_of(xsdt) == 0);
    REQUIRE(xsdt.size() == 36 + 2 * 8);
    const ByteView fadt = table_at(tables, load_le<std::uint64_t>(xsdt, 36));
    CHECK(signature(fadt) == "FACP");
    CHECK(fadt.size() == 276);
    CHECK(checksum_of(fadt) == 0);
    const ByteView madt = table_at(tables, load_le<std::uint64_t>(xsdt, 44));
    CHECK(signature(madt) == "APIC");
    CHECK(checksum_of(madt) == 0);

    const std::uint32_t facs = load_le<std::uint32_t>(fadt, 36);
    CHECK(facs % 64 == 0);
    CHECK(signature(table_at(tables, facs)) == "FACS");
    CHECK(load_le<std::uint64_t>(fadt, 132) == 0);
    const std::uint32_t dsdt = load_le<std::uint32_t>(fadt, 40);
    CHECK(load_le<std::uint64_t>(fadt, 140) == dsdt);
    CHECK(signature(table_at(tables, dsdt)) == "DSDT");
    CHECK(checksum_of(table_at(tables, dsdt)) == 0);
    CHECK(contains(table_at(tables, dsdt), "_S5_"));
}

TEST_CASE("the FADT's fixed hardware is where the board put it", "[acpi]") {
    Fixture fixture;
    FakeDevice& pm = fixture.add_power_management(9);
    pm.description.fixed_hardware->reset_value = 0x0e;
    const AcpiTables tables = build_acpi(fixture.inputs());
    const ByteView fadt = table(tables, "FACP");
    CHECK(load_le<std::uint16_t>(fadt, 46) == 9);
    CHECK(load_le<std::uint32_t>(fadt, 48) == 0); // SMI_CMD
    CHECK(load_le<std::uint32_t>(fadt, 56) == 0x600);
    CHECK(load_le<std::uint64_t>(fadt, 152) == 0x600);
    CHECK(load_le<std::uint32_t>(fadt, 64) == 0x604);
    CHECK(load_le<std::uint64_t>(fadt, 176) == 0x604);
    CHECK(load_le<std::uint32_t>(fadt, 76) == 0x608);
    CHECK(load_le<std::uint64_t>(fadt, 212) == 0x608);
    CHECK(load_le<std::uint64_t>(fadt, 120) == 0xcf9);
    CHECK(load_le<std::uint8_t>(fadt, 128) == 0x0e);
    // WBINVD, PROC_C1, no sleep button, no RTC wake, TMR_VAL_EXT, RESET_REG_SUP.
    CHECK(load_le<std::uint32_t>(fadt, 112) == 0x565);

    pm.description.fixed_hardware->pm_timer_32_bits = false;
    pm.description.fixed_hardware->reset_region.reset();
    CHECK(fadt_flags(fixture) == 0x065);
}

TEST_CASE("without fixed hardware the machine is hardware-reduced", "[acpi]") {
    const Fixture fixture;
    const AcpiTables tables = build_acpi(fixture.inputs());
    const ByteView fadt = table(tables, "FACP");
    CHECK(table(tables, "FACS").empty());
    CHECK(load_le<std::uint32_t>(fadt, 36) == 0);
    CHECK((load_le<std::uint32_t>(fadt, 112) & (1u << 20)) != 0);
    CHECK(std::all_of(fadt.begin() + 46, fadt.begin() + 96,
                      [](std::byte byte) { return byte == std::byte{0}; }));
    CHECK(std::all_of(fadt.begin() + 148, fadt.end(),
                      [](std::byte byte) { return byte == std::byte{0}; }));
    CHECK_FALSE(contains(table(tables, "DSDT"), "_S5_"));
}

TEST_CASE("IAPC_BOOT_ARCH tells what is there and what is not", "[acpi]") {
    Fixture fixture;
    constexpr std::uint16_t no_aspm = 1 << 4;
    CHECK(boot_flags(fixture) == (no_aspm | 1 << 5 | 1 << 2));
    FakeDevice& device = fixture.add("DEV", "PNP0C02");
    device.description.legacy = {LegacyFeature::user_visible};
    CHECK(boot_flags(fixture) == (no_aspm | 1 << 5 | 1 << 2 | 1 << 0));
    device.description.legacy = {LegacyFeature::keyboard_controller, LegacyFeature::vga};
    CHECK(boot_flags(fixture) == (no_aspm | 1 << 5 | 1 << 1));
    device.description.legacy = {LegacyFeature::cmos_rtc};
    CHECK(boot_flags(fixture) == (no_aspm | 1 << 2));
    const AcpiTables tables = build_acpi(fixture.inputs());
    CHECK(load_le<std::uint8_t>(table(tables, "FACP"), 108) == 0x32);
}

TEST_CASE("more than eight CPUs use the APIC cluster model", "[acpi]") {
    Fixture fixture;
    fixture.apic_ids.resize(8);
    std::iota(fixture.apic_ids.begin(), fixture.apic_ids.end(), 0u);
    CHECK((fadt_flags(fixture) & 1u << 18) == 0);
    fixture.apic_ids.push_back(8);
    CHECK((fadt_flags(fixture) & 1u << 18) != 0);
}

TEST_CASE("devices of one kind are numbered, in names and in _UIDs", "[acpi]") {
    Fixture fixture;
    fixture.add("VIRT", "LNRO0005").description.uid = 0;
    fixture.add("RTC", "PNP0B00");
    std::optional<AcpiTables> tables = build_acpi(fixture.inputs());
    CHECK(contains(table(*tables, "DSDT"), "VIRT"));
    CHECK(contains(table(*tables, "DSDT"), "RTC_"));
    // Scope and the two devices' _HIDs, one processor: a single RTC has no _UID.
    CHECK(table(*tables, "DSDT").size() == 36 + 7 + 29 + (3 + 4 + 15 + 6) + (3 + 4 + 10));

    for (int i = 1; i < 12; ++i)
        fixture.add("VIRT", "LNRO0005").description.uid = 0;
    tables = build_acpi(fixture.inputs());
    const ByteView dsdt = table(*tables, "DSDT");
    for (const char* name : {"VIR1", "VIR9", "VI10", "VI12"})
        CHECK(contains(dsdt, name));
    CHECK_FALSE(contains(dsdt, "VIRT"));
    CHECK_FALSE(contains(dsdt, "VI13"));
    CHECK(contains(dsdt, {"_UID\x0a\x0b", 6})); // 0 to 11: the twelfth has 11
    CHECK_FALSE(contains(dsdt, {"_UID\x0a\x0c", 6}));
}

TEST_CASE("a number that gives a taken name is passed over", "[acpi]") {
    Fixture fixture;
    fixture.add("COM1", "PNP0C02");
    fixture.add("COM", "PNP0501");
    fixture.add("COM", "PNP0501");
    const AcpiTables tables = build_acpi(fixture.inputs());
    CHECK(contains(table(tables, "DSDT"), "COM2"));
    CHECK(contains(table(tables, "DSDT"), "COM3"));
}

TEST_CASE("64 devices and 64 CPUs fit below 1 MiB, and what does not fit is refused", "[acpi]") {
    Fixture fixture;
    fixture.apic_ids.resize(64);
    std::iota(fixture.apic_ids.begin(), fixture.apic_ids.end(), 0u);
    fixture.add_power_management(9);
    for (int i = 0; i < 64; ++i) {
        fixture.add("VIRT", "LNRO0005").region_shapes = {{"r", BusKind::mmio, 0x1000}};
        fixture.placed.back().bases = {0xd0000000};
    }
    AcpiInputs inputs = fixture.inputs();
    const AcpiTables tables = build_acpi(inputs);
    CHECK(tables.bytes.size() < 16 * 1024);

    inputs.room_bytes = tables.bytes.size();
    CHECK_NOTHROW(build_acpi(inputs));
    inputs.room_bytes = tables.bytes.size() - 1;
    CHECK_THROWS_WITH(build_acpi(inputs), Catch::Contains("use fewer devices"));
    inputs.room_bytes = 0x20000;
    inputs.base = Gpa(0xe0010);
    CHECK_THROWS_AS(build_acpi(inputs), Error);
    inputs.base = Gpa(0xffff0000);
    CHECK_THROWS_AS(build_acpi(inputs), Error);
}

TEST_CASE("contradictions of a board are refused", "[acpi]") {
    SECTION("two devices with fixed hardware") {
        Fixture fixture;
        fixture.add_power_management(9);
        fixture.add_power_management(9);
        CHECK_THROWS_WITH(build_acpi(fixture.inputs()), Catch::Contains("second"));
    }
    SECTION("a block that is not of the size the FADT says") {
        Fixture fixture;
        fixture.add_power_management(9).region_shapes[0].size_bytes = 2;
        CHECK_THROWS_AS(build_acpi(fixture.inputs()), Error);
    }
    SECTION("a region that is not there") {
        Fixture fixture;
        fixture.add_power_management(9).description.fixed_hardware->reset_region = 4;
        CHECK_THROWS_AS(build_acpi(fixture.inputs()), Error);
    }
    SECTION("an SCI the 8259s do not have") {
        Fixture fixture;
        fixture.add_power_management(20);
        CHECK_THROWS_WITH(build_acpi(fixture.inputs()), Catch::Contains("8259"));
        AcpiInputs inputs = fixture.inputs();
        inputs.has_pics = false;
        CHECK_NOTHROW(build_acpi(inputs));
    }
    SECTION("a placement without a base for a region") {
        Fixture fixture;
        fixture.add("DEV", "PNP0C02").region_shapes = {{"r", BusKind::pio, 1}};
        CHECK_THROWS_WITH(build_acpi(fixture.inputs()), Catch::Contains("placement"));
    }
    SECTION("ports beyond the last") {
        Fixture fixture;
        fixture.add("DEV", "PNP0C02").region_shapes = {{"r", BusKind::pio, 8}};
        fixture.placed.back().bases = {0xfff9};
        CHECK_THROWS_AS(build_acpi(fixture.inputs()), Error);
    }
    SECTION("a name that is none") {
        Fixture fixture;
        fixture.add("4U", "PNP0C02");
        CHECK_THROWS_AS(build_acpi(fixture.inputs()), Error);
    }
}
