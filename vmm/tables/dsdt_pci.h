// The part of the DSDT that a machine with a PCI host bridge has: \_SB.PCI0 and what it passes on,
// the LPC bridge with the devices behind it, the interrupt links and their routing.
//
// Interrupts: \_PIC says whether the system uses the IOAPIC. With it, pins are wired to GSI 16 to
// 23 (pirq_of()); without, to links LNKA to LNKH, which are the PIRQ routing registers of the LPC
// bridge: each routes its input to one of pci_link_irqs.
//
// Sources: ACPI 6.4, sections 5.8.1 (_PIC), 6.2; PCI Firmware Specification 3.0, sections 4.1.2
// (ECAM is reserved by a PNP0C02 device) and 4.5 (_OSC); ICH9 datasheet, sections 13.1.15 and
// 13.1.20 (PIRQ_ROUT).
// Missing: hot-plug, root ports, _DSM.
//
// SeaBIOS reads this table with a parser of its own that stops at what it does not know: outside
// of methods there is no control flow here, and no constant of 64 bits.
#pragma once

#include "vmm/tables/acpi_tables.h"
#include "vmm/tables/aml.h"
#include "vmm/tables/sdt.h"

#include <array>
#include <cstdint>
#include <optional>

namespace coldstart {

/// What a PCI link may be routed to: ISA interrupts no device of a PC has.
inline constexpr std::array<std::uint32_t, 3> pci_link_irqs = {5, 10, 11};

/// All of \_SB, and what belongs to the root with it. Throws Error when the facts contradict one
/// another.
aml::Term pci_system(const AcpiInputs& inputs, const std::optional<FixedHardware>& fixed,
                     const aml::Term& processors);

// Its parts.
/// LNKA to LNKH, over the fields of pirq_registers().
aml::Term interrupt_links();
/// PRTP and PRTA, the routing without and with an IOAPIC, and _PRT, which chooses.
aml::Term interrupt_routing();
/// The operation region over the PIRQ routing registers; inside the LPC bridge's device.
aml::Term pirq_registers();
/// Device LPC, with `devices` behind it.
aml::Term lpc_bridge(const AcpiInputs& inputs, const std::optional<FixedHardware>& fixed,
                     const aml::Term& devices);

} // namespace coldstart
