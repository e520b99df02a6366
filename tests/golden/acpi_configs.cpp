#include "tests/golden/acpi_configs.h"

#include "tests/fakes/fake_device.h"
#include "vmm/base/text.h"

#include <memory>
#include <numeric>
#include <sstream>
#include <utility>

namespace coldstart::golden {

namespace {

using fakes::FakeDevice;

/// Devices and where they stand, kept alive together.
struct Machine {
    std::vector<std::unique_ptr<FakeDevice>> devices;
    std::vector<PlacedDevice> placed;

    FakeDevice& add(std::string id, std::vector<RegionShape> regions,
                    std::vector<std::uint64_t> bases, std::vector<LineShape> lines = {},
                    std::vector<std::uint32_t> gsis = {}) {
        devices.push_back(std::make_unique<FakeDevice>());
        FakeDevice& device = *devices.back();
        device.region_shapes = std::move(regions);
        device.line_shapes = std::move(lines);
        placed.push_back({std::move(id), &device, std::move(bases), std::move(gsis)});
        return device;
    }

    void add_serial(unsigned number, std::uint64_t port, std::uint32_t gsi) {
        FakeDevice& uart = add(cat("com", number), {{"registers", BusKind::pio, 8}}, {port},
                               {{"irq", false}}, {gsi});
        uart.description.name = "COM1";
        uart.description.hid = "PNP0501";
        uart.description.uid = 1;
        uart.description.legacy = {LegacyFeature::user_visible};
    }

    void add_cmos() {
        FakeDevice& cmos =
            add("cmos", {{"registers", BusKind::pio, 2}}, {0x70}, {{"irq", false}}, {8});
        cmos.description.name = "RTC0";
        cmos.description.hid = "PNP0B00";
        cmos.description.legacy = {LegacyFeature::cmos_rtc};
    }

    void add_power_management() {
        FakeDevice& pm = add("pm",
                             {{"event", BusKind::pio, 4},
                              {"control", BusKind::pio, 2},
                              {"timer", BusKind::pio, 4},
                              {"reset", BusKind::pio, 1}},
                             {0x600, 0x604, 0x608, 0xcf9}, {{"sci", false}}, {9});
        pm.description.fixed_hardware = AcpiFixedHardware{.pm1_event_region = 0,
                                                          .pm1_control_region = 1,
                                                          .pm_timer_region = 2,
                                                          .reset_region = 3,
                                                          .reset_value = 6,
                                                          .sci_line = 0,
                                                          .s5_sleep_type = 5};
    }

    void add_event_device() {
        FakeDevice& ged = add("pm",
                              {{"sleep_control", BusKind::pio, 1},
                               {"sleep_status", BusKind::pio, 1},
                               {"reset", BusKind::pio, 1},
                               {"power_off", BusKind::pio, 2}},
                              {0x600, 0x601, 0xcf9, 0x604}, {{"event", true}}, {9});
        ged.description.reduced_hardware = AcpiReducedHardware{.sleep_control_region = 0,
                                                               .sleep_status_region = 1,
                                                               .reset_region = 2,
                                                               .reset_value = 6,
                                                               .power_button_line = 0,
                                                               .s5_sleep_type = 5};
    }

    /// As on a chipset whose PMBASE the guest programs.
    void add_movable_power_management() {
        add_power_management();
        placed.back().bases = {~0ull, ~0ull, ~0ull, 0xcf9};
    }

    void add_keyboard_controller() {
        FakeDevice& keyboard =
            add("i8042", {{"data", BusKind::pio, 1}, {"command", BusKind::pio, 1}}, {0x60, 0x64},
                {{"keyboard", true}, {"mouse", true}}, {1, 12});
        keyboard.description.legacy = {LegacyFeature::keyboard_controller};
    }

    void add_fw_cfg() {
        FakeDevice& fw_cfg =
            add("fwcfg", {{"selector+data", BusKind::pio, 2}, {"dma", BusKind::pio, 8}},
                {0x510, 0x514});
        fw_cfg.description.name = "FWCF";
        fw_cfg.description.hid = "QEMU0002";
    }

    void add_hpet() {
        FakeDevice& hpet = add("hpet", {{"registers", BusKind::mmio, 0x400}}, {0xfed00000},
                               {{"timer0", false}, {"timer1", false}}, {2, 8});
        hpet.description.name = "HPET";
        hpet.description.hid = "PNP0103";
    }

    void add_display() {
        FakeDevice& vga = add("vga", {{"framebuffer", BusKind::mmio, 0x1000000}}, {});
        vga.description.legacy = {LegacyFeature::vga};
        placed.back().pci = PciAddress{1, 0};
    }

    void add_pvpanic() {
        FakeDevice& pvpanic = add("pvpanic", {{"events", BusKind::pio, 1}}, {0x505});
        pvpanic.description.name = "PEVT";
        pvpanic.description.hid = "QEMU0001";
    }

    void add_virtio(unsigned slot, std::uint64_t base, std::uint32_t gsi) {
        FakeDevice& virtio = add(cat("virtio", slot), {{"registers", BusKind::mmio, 0x1000}},
                                 {base}, {{"irq", true}}, {gsi});
        virtio.description.name = "VIRT";
        virtio.description.hid = "LNRO0005";
        virtio.description.uid = 0;
        virtio.description.cache_coherent = true;
    }

    AcpiInputs inputs(std::span<const std::uint32_t> apic_ids) const {
        AcpiInputs inputs;
        inputs.devices = placed;
        inputs.apic_ids = apic_ids;
        inputs.base = Gpa(0xe0000);
        inputs.room_bytes = 0x20000;
        return inputs;
    }

    AcpiTables tables(std::vector<std::uint32_t> apic_ids, bool legacy_interrupts = true) const {
        AcpiInputs made = inputs(apic_ids);
        made.has_pics = legacy_interrupts;
        if (!legacy_interrupts)
            made.pit_gsi.reset();
        return build_acpi(made);
    }
};

std::vector<std::uint32_t> counted(std::uint32_t count) {
    std::vector<std::uint32_t> ids(count);
    std::iota(ids.begin(), ids.end(), 0u);
    return ids;
}

Machine micro_devices(void (Machine::*add_power)()) {
    Machine machine;
    machine.add_serial(1, 0x3f8, 4);
    machine.add_cmos();
    (machine.*add_power)();
    machine.add_pvpanic();
    machine.add_virtio(0, 0xd0000000, 16);
    machine.add_virtio(1, 0xd0001000, 17);
    return machine;
}

/// Board micro with a disk and the entropy device: machine_micro_test.cpp has the real devices
/// make the same tables.
AcpiConfig micro() {
    return {"micro", micro_devices(&Machine::add_event_device).tables({0}, false)};
}

/// The same with fixed hardware (--acpi fixed).
AcpiConfig micro_fixed() {
    return {"micro-fixed", micro_devices(&Machine::add_power_management).tables({0})};
}

/// As much as there can be: names and _UIDs of two digits, scopes with long PkgLengths, the APIC
/// cluster model.
AcpiConfig large() {
    Machine machine;
    machine.add_serial(1, 0x3f8, 4);
    machine.add_serial(2, 0x2f8, 3);
    machine.add_cmos();
    machine.add_power_management();
    for (unsigned slot = 0; slot < 64; ++slot)
        machine.add_virtio(slot, 0xd0000000 + slot * 0x1000, 16 + slot % 8);
    return {"large", machine.tables(counted(64))};
}

/// No fixed hardware, no 8259s: hardware-reduced ACPI. A register window above 4 GiB, many ports,
/// a display and a keyboard, APIC ids that need x2APIC structures.
AcpiConfig reduced() {
    Machine machine;
    machine.add_virtio(0, 0x4000000000, 20);
    FakeDevice& many = machine.add("ports", {{"window", BusKind::pio, 0x1000}}, {0x2000});
    many.description.name = "PRT";
    many.description.hid = "ACPI0003";
    many.description.cid = "PNP0C02";
    FakeDevice& level = machine.add("level", {{"registers", BusKind::mmio, 0x100}}, {0xfed00000},
                                    {{"a", false}, {"b", true}}, {21, 22});
    level.description.name = "LVL0";
    level.description.hid = "PNP0C02";
    level.description.legacy = {LegacyFeature::vga, LegacyFeature::keyboard_controller};
    return {"reduced", machine.tables({0, 254, 255, 0x12345}, false)};
}

Machine pc_devices() {
    Machine machine;
    machine.add_serial(1, 0x3f8, 4);
    machine.add_serial(2, 0x2f8, 3);
    machine.add_cmos();
    machine.add_keyboard_controller();
    machine.add_movable_power_management();
    machine.add_hpet();
    machine.add_fw_cfg();
    machine.add_pvpanic();
    machine.add_display();
    return machine;
}

/// A Q35-like chipset as firmware leaves it: ECAM at 0xB0000000, the window from its end to the
/// IOAPIC, everything else above 4 GiB.
PciAcpiFacts q35() {
    PciAcpiFacts facts;
    facts.ecam = EcamFacts{.base = 0xb0000000};
    facts.windows = {{0x80000000, 0x30000000}, {0xc0000000, 0x3ec00000}};
    facts.window64 = AcpiAddressRange{0x800000000, 0x800000000};
    facts.hpet = HpetFacts{};
    facts.pm_base = 0x600;
    facts.gpe0 = GpeBlockFacts{};
    facts.smi_command = SmiCommandFacts{};
    return facts;
}

AcpiConfig pc() {
    const Machine machine = pc_devices();
    const std::vector<std::uint32_t> apic_ids = counted(2);
    AcpiInputs inputs = machine.inputs(apic_ids);
    inputs.pci = q35();
    return {"pc", build_acpi(inputs)};
}

/// A bridge without ECAM, HPET and SMI, no 8259s.
AcpiConfig bare_pc() {
    Machine machine;
    machine.add_power_management();
    const std::vector<std::uint32_t> apic_ids = counted(1);
    AcpiInputs inputs = machine.inputs(apic_ids);
    inputs.has_pics = false;
    inputs.pit_gsi.reset();
    inputs.pci = PciAcpiFacts{.windows = {{0xc0000000, 0x1000000}}};
    return {"bare-pc", build_acpi(inputs)};
}

} // namespace

std::vector<AcpiConfig> acpi_configs() {
    return {micro(), micro_fixed(), large(), reduced(), pc(), bare_pc()};
}

AcpiBlobs pc_blobs(const PciAcpiFacts& chipset) {
    const Machine machine = pc_devices();
    const std::vector<std::uint32_t> apic_ids = counted(2);
    AcpiInputs inputs = machine.inputs(apic_ids);
    inputs.pci = chipset;
    return build_acpi_blobs(inputs);
}

PciAcpiFacts pc_chipset() {
    return q35();
}

std::string to_text(const AcpiConfig& config) {
    constexpr std::string_view digits = "0123456789abcdef";
    constexpr std::size_t row_bytes = 16;
    std::string text = cat("# ACPI tables of machine \"", config.name, "\", RSDP at ",
                           hex(config.tables.rsdp.value), "; see README.md\n");
    for (const AcpiTablePlace& place : config.tables.places) {
        text += cat("\n", place.signature, " at +", hex(place.offset, 4), ", ", place.size_bytes,
                    " bytes\n");
        for (std::size_t i = 0; i < place.size_bytes; ++i) {
            if (i % row_bytes == 0)
                text += hex(i, 4) + ":";
            const auto byte = std::to_integer<unsigned>(config.tables.bytes[place.offset + i]);
            text += {' ', digits[byte >> 4], digits[byte & 15]};
            if (i % row_bytes == row_bytes - 1 || i + 1 == place.size_bytes)
                text += '\n';
        }
    }
    return text;
}

std::string first_difference(const std::string& got, const std::string& expected) {
    if (got == expected)
        return {};
    std::istringstream got_lines(got), expected_lines(expected);
    std::string got_line, expected_line, table;
    for (unsigned number = 1;; ++number) {
        const bool got_more = !!std::getline(got_lines, got_line);
        const bool expected_more = !!std::getline(expected_lines, expected_line);
        if (!got_more || !expected_more)
            return cat("line ", number, ": one ends here");
        if (got_line.find(" at +") != std::string::npos)
            table = got_line;
        if (got_line != expected_line)
            return cat("line ", number, ", ", table, "\n  got      ", got_line, "\n  expected ",
                       expected_line);
    }
}

} // namespace coldstart::golden
