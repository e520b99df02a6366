// What a PCI host bridge adds to the tables, and what of its facts is refused.
#include "tests/fakes/fake_device.h"
#include "vmm/base/error.h"
#include "vmm/tables/acpi_tables.h"
#include "vmm/tables/sdt.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

using namespace coldstart;
using fakes::FakeDevice;

namespace {

constexpr std::uint64_t unplaced_base = ~std::uint64_t{0};

struct Pc {
    std::vector<std::unique_ptr<FakeDevice>> devices;
    std::vector<PlacedDevice> placed;
    std::vector<std::uint32_t> apic_ids{0};
    PciAcpiFacts facts;

    FakeDevice& add(std::string id, std::vector<RegionShape> regions,
                    std::vector<std::uint64_t> bases) {
        devices.push_back(std::make_unique<FakeDevice>());
        devices.back()->region_shapes = std::move(regions);
        placed.push_back({std::move(id), devices.back().get(), std::move(bases), {}});
        return *devices.back();
    }

    void add_power_management(std::vector<std::uint64_t> bases) {
        FakeDevice& pm = add("pm",
                             {{"event", BusKind::pio, 4},
                              {"control", BusKind::pio, 2},
                              {"timer", BusKind::pio, 4},
                              {"reset", BusKind::pio, 1}},
                             std::move(bases));
        pm.line_shapes = {{"sci", false}};
        placed.back().gsis = {9};
        pm.description.fixed_hardware = AcpiFixedHardware{.pm1_event_region = 0,
                                                          .pm1_control_region = 1,
                                                          .pm_timer_region = 2,
                                                          .reset_region = 3,
                                                          .reset_value = 6,
                                                          .s5_sleep_type = 5};
    }

    AcpiTables build() const {
        AcpiInputs inputs;
        inputs.devices = placed;
        inputs.apic_ids = apic_ids;
        inputs.base = Gpa(0xe0000);
        inputs.room_bytes = 0x20000;
        inputs.pci = facts;
        return build_acpi(inputs);
    }
};

ByteView table(const AcpiTables& tables, std::string_view signature) {
    for (const AcpiTablePlace& place : tables.places) {
        if (place.signature == signature)
            return ByteView(tables.bytes).subspan(place.offset, place.size_bytes);
    }
    return {};
}

std::ptrdiff_t count_of(ByteView bytes, ByteView needle) {
    std::ptrdiff_t count = 0;
    for (auto at = bytes.begin();; ++at, ++count) {
        at = std::search(at, bytes.end(), needle.begin(), needle.end());
        if (at == bytes.end())
            return count;
    }
}

std::ptrdiff_t count_of(ByteView bytes, std::string_view text) {
    return count_of(bytes, std::as_bytes(std::span(text)));
}

/// EISA ids as a _HID holds them.
std::ptrdiff_t count_of_id(const AcpiTables& tables, std::uint16_t pnp_number) {
    const std::array<std::uint8_t, 5> id = {0x0c, 0x41, 0xd0,
                                            static_cast<std::uint8_t>(pnp_number >> 8),
                                            static_cast<std::uint8_t>(pnp_number & 0xff)};
    return count_of(table(tables, "DSDT"), std::as_bytes(std::span(id)));
}

} // namespace

TEST_CASE("MCFG and HPET are there when what they describe is", "[acpi]") {
    Pc pc;
    AcpiTables tables = pc.build();
    CHECK(table(tables, "MCFG").empty());
    CHECK(table(tables, "HPET").empty());
    CHECK(count_of_id(tables, 0x0103) == 0);
    const std::ptrdiff_t reservations = count_of_id(tables, 0x0c02);

    pc.facts.ecam = EcamFacts{.base = 0xe0000000};
    pc.facts.last_bus = 63;
    pc.facts.hpet = HpetFacts{.base = 0xfed01000, .block_id = 0x12345678, .minimum_ticks = 100};
    tables = pc.build();
    const ByteView mcfg = table(tables, "MCFG");
    REQUIRE(mcfg.size() == 60);
    CHECK(load_le<std::uint64_t>(mcfg, 44) == 0xe0000000);
    CHECK(load_le<std::uint8_t>(mcfg, 54) == 0);
    CHECK(load_le<std::uint8_t>(mcfg, 55) == 63);
    const ByteView hpet = table(tables, "HPET");
    REQUIRE(hpet.size() == 56);
    CHECK(load_le<std::uint32_t>(hpet, 36) == 0x12345678);
    CHECK(load_le<std::uint64_t>(hpet, 44) == 0xfed01000);
    CHECK(load_le<std::uint16_t>(hpet, 53) == 100);
    CHECK(count_of_id(tables, 0x0103) == 1);
    CHECK(count_of_id(tables, 0x0c02) == reservations + 1); // ECAM is a board's resource
}

TEST_CASE("a HPET that describes itself is one device, without interrupts", "[acpi]") {
    Pc pc;
    pc.facts.hpet = HpetFacts{};
    const std::size_t without = table(pc.build(), "DSDT").size();
    FakeDevice& hpet = pc.add("hpet", {{"registers", BusKind::mmio, 0x400}}, {0xfed00000});
    hpet.description.name = "HPET";
    hpet.description.hid = "PNP0103";
    hpet.line_shapes = {{"timer0", false}};
    pc.placed.back().gsis = {2};
    const AcpiTables tables = pc.build();
    CHECK(count_of_id(tables, 0x0103) == 1);
    CHECK(table(tables, "DSDT").size() == without);
}

TEST_CASE("fixed hardware that the guest places follows PMBASE", "[acpi]") {
    Pc pc;
    pc.add_power_management({unplaced_base, unplaced_base, unplaced_base, 0xcf9});
    CHECK_THROWS_WITH(pc.build(), Catch::Contains("nowhere"));
    pc.facts.pm_base = 0xb000;
    AcpiTables tables = pc.build();
    ByteView fadt = table(tables, "FACP");
    CHECK(load_le<std::uint32_t>(fadt, 56) == 0xb000);
    CHECK(load_le<std::uint32_t>(fadt, 64) == 0xb004);
    CHECK(load_le<std::uint32_t>(fadt, 76) == 0xb008);
    CHECK(load_le<std::uint64_t>(fadt, 120) == 0xcf9);

    pc.placed.back().bases = {0x600, 0x604, 0x608, 0xcf9};
    tables = pc.build();
    fadt = table(tables, "FACP");
    CHECK(load_le<std::uint32_t>(fadt, 56) == 0x600);
    CHECK(load_le<std::uint32_t>(fadt, 76) == 0x608);

    pc.placed.back().bases.back() = unplaced_base; // the reset register is none of PMBASE's
    CHECK_THROWS_WITH(pc.build(), Catch::Contains("nowhere"));
}

TEST_CASE("the FADT has the chipset's events and its command port", "[acpi]") {
    Pc pc;
    pc.add_power_management({0x600, 0x604, 0x608, 0xcf9});
    AcpiTables tables = pc.build();
    ByteView fadt = table(tables, "FACP");
    CHECK(load_le<std::uint32_t>(fadt, 48) == 0);
    CHECK(load_le<std::uint32_t>(fadt, 80) == 0);
    CHECK(load_le<std::uint8_t>(fadt, 92) == 0);

    pc.facts.gpe0 = GpeBlockFacts{};
    pc.facts.smi_command = SmiCommandFacts{};
    tables = pc.build();
    fadt = table(tables, "FACP");
    CHECK(load_le<std::uint32_t>(fadt, 48) == 0xb2);
    CHECK(load_le<std::uint8_t>(fadt, 52) == 2);
    CHECK(load_le<std::uint8_t>(fadt, 53) == 3);
    CHECK(load_le<std::uint32_t>(fadt, 80) == 0x620);
    CHECK(load_le<std::uint8_t>(fadt, 92) == 16);
    CHECK(load_le<std::uint8_t>(fadt, 220) == 1);   // I/O
    CHECK(load_le<std::uint8_t>(fadt, 221) == 128); // bits
    CHECK(load_le<std::uint64_t>(fadt, 224) == 0x620);
}

TEST_CASE("a keyboard controller is a keyboard and a mouse", "[acpi]") {
    Pc pc;
    CHECK(count_of_id(pc.build(), 0x0303) == 0);
    FakeDevice& keyboard =
        pc.add("i8042", {{"data", BusKind::pio, 1}, {"command", BusKind::pio, 1}}, {0x60, 0x64});
    keyboard.line_shapes = {{"keyboard", true}, {"mouse", true}};
    keyboard.description.legacy = {LegacyFeature::keyboard_controller};
    pc.placed.back().gsis = {1, 12};
    // SeaBIOS compares these five bytes; without them it does not look for a keyboard.
    for (const char* hid : {"", "PNP0303"}) {
        keyboard.description.hid = hid;
        const AcpiTables tables = pc.build();
        CHECK(count_of_id(tables, 0x0303) == 1);
        CHECK(count_of(table(tables, "DSDT"), {"\x0c\x41\xd0\x0f\x13", 5}) == 1);
        CHECK(count_of(table(tables, "DSDT"), {"\x22\x02\x00", 3}) == 1); // IRQ 1
        CHECK(count_of(table(tables, "DSDT"), {"\x22\x00\x10", 3}) == 1); // IRQ 12
    }
    keyboard.line_shapes.pop_back();
    pc.placed.back().gsis.pop_back();
    CHECK(count_of(table(pc.build(), "DSDT"), {"\x0c\x41\xd0\x0f\x13", 5}) == 0);
}

TEST_CASE("PCI functions are no device objects, and what has no place no resource", "[acpi]") {
    Pc pc;
    const std::size_t before = table(pc.build(), "DSDT").size();
    FakeDevice& function = pc.add("nic", {{"bar0", BusKind::mmio, 0x1000}}, {});
    function.description.name = "NIC";
    function.description.hid = "PNP0C02";
    pc.placed.back().pci = PciAddress{2, 0};
    CHECK(table(pc.build(), "DSDT").size() == before);

    FakeDevice& moving = pc.add("moving", {{"registers", BusKind::pio, 8}}, {unplaced_base});
    moving.description.name = "MOVE";
    moving.description.hid = "ACPI0003";
    CHECK(count_of(table(pc.build(), "DSDT"), "MOVE") == 1);
}

TEST_CASE("interrupts that links may have are level-triggered in the MADT", "[acpi]") {
    Pc pc;
    const AcpiTables tables = pc.build();
    const ByteView madt = table(tables, "APIC");
    for (const char irq : {'\x05', '\x0a', '\x0b'}) {
        const std::string entry = {2, 10, 0, irq, irq, 0, 0, 0, 0x0d, 0};
        CHECK(count_of(madt, entry) == 1);
    }
}

TEST_CASE("windows and ECAM that can't be are refused", "[acpi]") {
    Pc pc;
    SECTION("a window beyond 4 GiB") {
        pc.facts.windows = {{0xfff00000, 0x200000}};
        CHECK_THROWS_WITH(pc.build(), Catch::Contains("below 4 GiB"));
    }
    SECTION("a window up to 4 GiB is one") {
        pc.facts.windows = {{0xfff00000, 0x100000}};
        CHECK_NOTHROW(pc.build());
    }
    SECTION("an empty window") {
        pc.facts.windows = {{0xc0000000, 0}};
        CHECK_THROWS_AS(pc.build(), Error);
    }
    SECTION("a high window that wraps") {
        pc.facts.window64 = AcpiAddressRange{~0ull - 0xfff, 0x2000};
        CHECK_THROWS_AS(pc.build(), Error);
    }
    SECTION("ECAM too small for the buses") {
        pc.facts.ecam = EcamFacts{.size_bytes = 4 * EcamFacts::bus_bytes};
        pc.facts.last_bus = 3;
        CHECK_NOTHROW(pc.build());
        pc.facts.last_bus = 4;
        CHECK_THROWS_WITH(pc.build(), Catch::Contains("ECAM"));
    }
    SECTION("ECAM that wraps") {
        pc.facts.ecam = EcamFacts{.base = ~0ull << 20};
        CHECK_THROWS_WITH(pc.build(), Catch::Contains("ECAM"));
    }
    SECTION("ECAM above 4 GiB is one") {
        pc.facts.ecam = EcamFacts{.base = 0x100000000};
        CHECK_NOTHROW(pc.build());
    }
}
