#include "vmm/tables/aml_code.h"
#include "vmm/tables/aml_resources.h"
#include "vmm/tables/dsdt_pci.h"

namespace coldstart {

namespace {

/// Ports that belong to the chipset and to no device of their own: fixed hardware, which the FADT
/// describes, and the SMI command port.
aml::Term reserved_ports(const PciAcpiFacts& chipset, const std::optional<FixedHardware>& fixed) {
    constexpr std::uint8_t pm_ports = 128;
    aml::ResourceTemplate ports;
    const auto reserve = [&](std::uint16_t base, std::uint8_t count) {
        const bool in_pm_block =
            chipset.pm_base && base >= *chipset.pm_base && base < *chipset.pm_base + pm_ports;
        if (base != 0 && !in_pm_block)
            ports.io(base, count);
    };
    if (chipset.pm_base)
        ports.io(*chipset.pm_base, pm_ports);
    if (fixed) {
        reserve(fixed->pm1_event, 4);
        reserve(fixed->pm1_control, 2);
        reserve(fixed->pm_timer, 4);
    }
    if (chipset.gpe0)
        reserve(chipset.gpe0->base, chipset.gpe0->size_bytes);
    if (chipset.smi_command)
        reserve(chipset.smi_command->port, 2); // and the status port behind it
    if (ports.empty())
        return {};
    return aml::device("SYSR", aml::name("_HID", aml::eisa_id("PNP0C02")) +
                                   aml::name("_UID", aml::integer(2)) +
                                   aml::name("_CRS", ports.term()));
}

aml::Term interrupt_controllers() {
    aml::ResourceTemplate resources;
    resources.io(0x20, 2).io(0xa0, 2).io(0x4d0, 2).irq_no_flags(2);
    return aml::device("PIC", aml::name("_HID", aml::eisa_id("PNP0000")) +
                                  aml::name("_CRS", resources.term()));
}

aml::Term interval_timer() {
    aml::ResourceTemplate resources;
    resources.io(0x40, 4).irq_no_flags(0);
    return aml::device("TIMR", aml::name("_HID", aml::eisa_id("PNP0100")) +
                                   aml::name("_CRS", resources.term()));
}

} // namespace

aml::Term lpc_bridge(const AcpiInputs& inputs, const std::optional<FixedHardware>& fixed,
                     const aml::Term& devices) {
    constexpr std::uint64_t address = 0x1f << 16; // device 31, function 0
    aml::Term body = aml::name("_ADR", aml::integer(address)) + pirq_registers();
    body += reserved_ports(*inputs.pci, fixed);
    if (inputs.has_pics)
        body += interrupt_controllers();
    if (inputs.pit_gsi)
        body += interval_timer();
    return aml::device("LPC", body + devices);
}

} // namespace coldstart
