#include "vmm/tables/dsdt_pci.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/tables/aml_code.h"
#include "vmm/tables/aml_resources.h"
#include "vmm/tables/device_objects.h"

#include <algorithm>

namespace coldstart {

namespace {

constexpr std::uint64_t four_gib = 1ull << 32;

constexpr std::array<ReservedName, 17> chipset_names = {{
    {.name = "PCI0"},
    {.name = "LPC"},
    {.name = "PIRQ"},
    {.name = "ECAM", .hid = "PNP0C02", .uid = 1},
    {.name = "SYSR", .hid = "PNP0C02", .uid = 2},
    {.name = "PIC"},
    {.name = "TIMR"},
    {.name = "LSTA"},
    {.name = "LCRS"},
    {.name = "LNKA"},
    {.name = "LNKB"},
    {.name = "LNKC"},
    {.name = "LNKD"},
    {.name = "LNKE"},
    {.name = "LNKF"},
    {.name = "LNKG"},
    {.name = "LNKH"},
}};

void check_window(const AcpiAddressRange& window, bool below_4_gib) {
    const std::uint64_t limit = below_4_gib ? four_gib : ~std::uint64_t{0};
    if (window.size_bytes == 0 || window.base >= limit || window.size_bytes > limit - window.base)
        throw Error(cat("ACPI: PCI window at ", hex(window.base), ", ", hex(window.size_bytes),
                        " bytes: ", below_4_gib ? "not below 4 GiB" : "nothing to pass on"));
}

/// What reaches the devices behind the bridge. The bridge itself has the ports of configuration
/// mechanism 1, which part the others.
aml::Term bridge_resources(const PciAcpiFacts& facts) {
    constexpr std::uint16_t mechanism1_ports = 0xcf8;
    constexpr std::uint8_t mechanism1_length = 8;
    aml::ResourceTemplate resources;
    resources.bus_window(0, facts.last_bus)
        .io(mechanism1_ports, mechanism1_length)
        .io_window(0, mechanism1_ports - 1)
        .io_window(mechanism1_ports + mechanism1_length, 0xffff)
        .memory32_window(0xa0000, 0xbffff, true); // VGA
    for (const AcpiAddressRange& window : facts.windows) {
        check_window(window, true);
        resources.memory32_window(static_cast<std::uint32_t>(window.base),
                                  static_cast<std::uint32_t>(window.base + (window.size_bytes - 1)),
                                  false);
    }
    if (facts.window64) {
        check_window(*facts.window64, false);
        resources.memory64_window(facts.window64->base,
                                  facts.window64->base + (facts.window64->size_bytes - 1), true);
    }
    return aml::name("_CRS", resources.term());
}

/// The system may have power management events, error reporting and the PCI Express capability
/// for itself: no firmware would use them. There is no hot-plug to control.
aml::Term operating_system_capabilities() {
    constexpr std::uint64_t granted = 1u << 2 | 1u << 3 | 1u << 4;
    constexpr std::uint64_t unrecognized_uuid = 1u << 2;
    constexpr std::uint64_t unrecognized_revision = 1u << 3;
    constexpr std::uint64_t capabilities_masked = 1u << 4;
    // 33DB4D5B-1FF7-401C-9657-7441C03DD766
    constexpr std::array<std::uint8_t, 16> host_bridge_uuid = {0x5b, 0x4d, 0xdb, 0x33, 0xf7, 0x1f,
                                                               0x1c, 0x40, 0x96, 0x57, 0x74, 0x41,
                                                               0xc0, 0x3d, 0xd7, 0x66};
    const aml::Term uuid = aml::argument(0), revision = aml::argument(1);
    const aml::Term capabilities = aml::argument(3), kept = aml::local(0);
    const aml::Term status = aml::name_string("CDW1"), control = aml::name_string("CDW3");
    const auto complain = [&](std::uint64_t bit) {
        return aml::bit_or(status, aml::integer(bit), status);
    };

    const aml::Term negotiate =
        aml::dword_field(capabilities, 8, "CDW3") +
        aml::bit_and(control, aml::integer(granted), kept) +
        aml::if_true(aml::not_equal(revision, aml::integer(1)), complain(unrecognized_revision)) +
        aml::if_true(aml::not_equal(control, kept), complain(capabilities_masked)) +
        aml::assign(control, kept);
    return aml::method(
        "_OSC", 4, true,
        aml::dword_field(capabilities, 0, "CDW1") +
            aml::if_true(aml::equal(uuid, aml::buffer(std::as_bytes(std::span(host_bridge_uuid)))),
                         negotiate) +
            aml::otherwise(complain(unrecognized_uuid)) + aml::return_value(capabilities));
}

aml::Term host_bridge(const PciAcpiFacts& facts, const aml::Term& lpc) {
    return aml::device("PCI0", aml::name("_HID", aml::eisa_id("PNP0A08")) +
                                   aml::name("_CID", aml::eisa_id("PNP0A03")) +
                                   aml::name("_UID", aml::integer(0)) +
                                   aml::name("_SEG", aml::integer(0)) +
                                   aml::name("_BBN", aml::integer(0)) + bridge_resources(facts) +
                                   operating_system_capabilities() + interrupt_routing() + lpc);
}

/// Reserves ECAM: systems use no MCFG whose range is not a board's resource.
aml::Term ecam_device(const EcamFacts& ecam, std::uint8_t last_bus) {
    const std::uint64_t base = ecam.base, size = ecam.size_bytes;
    if (size / EcamFacts::bus_bytes <= last_bus || base + (size - 1) < base)
        throw Error(cat("ACPI: ECAM of buses 0 to ", unsigned{last_bus}, " at ", hex(base),
                        ": no room in ", hex(size), " bytes"));
    aml::ResourceTemplate resources;
    if (base < four_gib && size <= four_gib - base)
        resources.memory32_fixed(static_cast<std::uint32_t>(base),
                                 static_cast<std::uint32_t>(size));
    else
        resources.qword_memory(base, size);
    return aml::device("ECAM", aml::name("_HID", aml::eisa_id("PNP0C02")) +
                                   aml::name("_UID", aml::integer(1)) +
                                   aml::name("_CRS", resources.term()));
}

aml::Term hpet_device(const HpetFacts& hpet) {
    constexpr std::uint32_t registers = 0x400;
    aml::ResourceTemplate resources;
    resources.memory32_fixed(hpet.base, registers);
    return aml::device("HPET", aml::name("_HID", aml::eisa_id(hpet_hid)) +
                                   aml::name("_CRS", resources.term()));
}

/// \PICF: 0 with the 8259s, 1 with the IOAPIC.
aml::Term interrupt_model() {
    return aml::name("PICF", aml::integer(0)) +
           aml::method("_PIC", 1, false, aml::assign(aml::name_string("PICF"), aml::argument(0)));
}

} // namespace

aml::Term pci_system(const AcpiInputs& inputs, const std::optional<FixedHardware>& fixed,
                     const aml::Term& processors) {
    const PciAcpiFacts& facts = *inputs.pci;
    aml::Term behind_lpc, beside;
    bool has_hpet = false;
    for (const DeviceObject& object : device_objects(inputs.devices, chipset_names)) {
        (object.has_ports ? behind_lpc : beside) += object.term;
        has_hpet = has_hpet || object.hid == hpet_hid;
    }

    aml::Term system = processors + interrupt_links();
    if (facts.ecam)
        system += ecam_device(*facts.ecam, facts.last_bus);
    if (facts.hpet && !has_hpet)
        system += hpet_device(*facts.hpet);
    system += beside;
    system += host_bridge(facts, lpc_bridge(inputs, fixed, behind_lpc));
    return interrupt_model() + aml::scope("\\_SB", system);
}

} // namespace coldstart
