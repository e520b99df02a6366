#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/tables/aml.h"
#include "vmm/tables/aml_code.h"
#include "vmm/tables/aml_resources.h"
#include "vmm/tables/device_objects.h"
#include "vmm/tables/dsdt_pci.h"
#include "vmm/tables/tables.h"

#include <array>
#include <string_view>

namespace coldstart {

namespace {

constexpr std::uint8_t dsdt_revision = 2; // integers of 64 bits

/// Processor devices: their _UID is that of the MADT, in the same order. Named C000 to CFFF: a
/// name that begins so and goes on with three digits is no device's.
aml::Term processor_objects(std::size_t count) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    if (count > 0x1000)
        throw Error(cat("ACPI: ", count, " processors, 4096 is the limit"));
    aml::Term objects;
    for (std::size_t uid = 0; uid < count; ++uid) {
        const std::array<char, 4> name = {'C', digits[uid >> 8 & 15], digits[uid >> 4 & 15],
                                          digits[uid & 15]};
        objects += aml::device(std::string_view(name.data(), name.size()),
                               aml::name("_HID", aml::string("ACPI0007")) +
                                   aml::name("_UID", aml::integer(uid)));
    }
    return objects;
}

/// Soft off: SLP_TYPa, SLP_TYPb, two reserved (section 7.4.2.6).
aml::Term soft_off(std::uint8_t sleep_type) {
    const std::array<aml::Term, 4> values = {aml::integer(sleep_type), aml::integer(sleep_type),
                                             aml::integer(0), aml::integer(0)};
    return aml::name("\\_S5", aml::package(values));
}

/// A hardware-reduced machine's power button, and the Generic Event Device that tells of it
/// (sections 4.8.2.2.1.2 and 5.6.9). The GED has one interrupt, so _EVT need not ask which it was.
aml::Term power_button(const ReducedHardware& reduced) {
    constexpr std::uint8_t pressed = 0x80;
    aml::ResourceTemplate resources;
    resources.interrupt(reduced.power_button_gsi, reduced.power_button_edge);
    return aml::device("PWRB", aml::name("_HID", aml::eisa_id("PNP0C0C"))) +
           aml::device("GED", aml::name("_HID", aml::string("ACPI0013")) +
                                  aml::name("_CRS", resources.term()) +
                                  aml::method("_EVT", 1, true, aml::notify("\\_SB.PWRB", pressed)));
}

aml::Term plain_system(const AcpiInputs& inputs, const std::optional<ReducedHardware>& reduced) {
    aml::Term objects = processor_objects(inputs.apic_ids.size());
    if (reduced)
        objects += power_button(*reduced);
    for (const DeviceObject& object : device_objects(inputs.devices, {}))
        objects += object.term;
    return aml::scope("\\_SB", objects);
}

} // namespace

std::vector<std::byte> build_dsdt(const AcpiInputs& inputs, const PowerManagement& power) {
    const auto& [fixed, reduced] = power;
    aml::Term program;
    if (inputs.pci)
        program += pci_system(inputs, fixed, processor_objects(inputs.apic_ids.size()));
    else
        program += plain_system(inputs, reduced);
    if (fixed)
        program += soft_off(fixed->s5_sleep_type);
    if (reduced)
        program += soft_off(reduced->s5_sleep_type);

    std::vector<std::byte> table = sdt_begin("DSDT", dsdt_revision);
    table.insert(table.end(), program.bytes.begin(), program.bytes.end());
    sdt_finish(table);
    return table;
}

} // namespace coldstart
