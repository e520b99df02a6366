// The tables one by one, without regard to where they stand; acpi_image.cpp places and links them.
#pragma once

#include "vmm/tables/acpi_tables.h"
#include "vmm/tables/sdt.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace coldstart {

/// FADT of revision 6 (ACPI 6.4 section 5.2.9), its pointers zero.
std::vector<std::byte> build_fadt(const AcpiInputs& inputs, const PowerManagement& power);

/// FACS of version 2 (section 5.2.10): the global lock and a wake vector, neither used.
std::vector<std::byte> build_facs();

/// MADT of revision 5 (section 5.2.12).
std::vector<std::byte> build_madt(const AcpiInputs& inputs,
                                  const std::optional<FixedHardware>& fixed);

/// DSDT (section 5.2.11.1): processors, the devices that describe themselves, and \_S5.
std::vector<std::byte> build_dsdt(const AcpiInputs& inputs, const PowerManagement& power);

/// MCFG (PCI Firmware Specification 3.0, section 4.1.2): where ECAM stands.
std::vector<std::byte> build_mcfg(const EcamFacts& ecam, std::uint8_t last_bus);

/// HPET description table (IA-PC HPET Specification 1.0a, section 3.2.4).
std::vector<std::byte> build_hpet(const HpetFacts& hpet);

/// Windows ACPI emulated devices table: one read of the PM timer is enough.
std::vector<std::byte> build_waet();

} // namespace coldstart
