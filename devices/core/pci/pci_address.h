// Where a PCI function stands, and which interrupt input of the chipset its pin is wired to.
// Sources: PCI Local Bus Specification 3.0, section 3.2.2.3.2; the wiring is the Q35 board's as
// firmware and ACPI tables of others know it (ICH9 datasheet, section 10.1.20 ff., D31IR).
// Missing: buses other than 0.
#pragma once

#include <compare>
#include <cstdint>

namespace coldstart {

struct PciAddress {
    std::uint8_t device = 0;   ///< 0..31
    std::uint8_t function = 0; ///< 0..7

    auto operator<=>(const PciAddress&) const noexcept = default;
};

inline constexpr unsigned pci_pins = 4; ///< INTA..INTD
inline constexpr unsigned pirq_count = 8;
inline constexpr unsigned pirq_gsi_base = 16; ///< PIRQA is IOAPIC input 16, PIRQH is 23

/// The PIRQ (0: PIRQA) behind pin `pin` (0: INTA) of a device: the chipset's own device 31 has
/// PIRQA..D, slots turn through PIRQE..H so that neighbours do not share.
constexpr unsigned pirq_of(std::uint8_t device, unsigned pin) noexcept {
    return device == 31 ? pin % 4 : 4 + (device + pin) % 4;
}

} // namespace coldstart
