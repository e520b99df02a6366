// The tables one by one, without regard to where they stand; build_acpi() places and links them.
#pragma once

#include "vmm/tables/acpi_tables.h"
#include "vmm/tables/sdt.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace coldstart {

/// FADT of revision 6 (ACPI 6.4 section 5.2.9). `facs` is 0 for none.
std::vector<std::byte> build_fadt(const AcpiInputs& inputs,
                                  const std::optional<FixedHardware>& fixed, std::uint32_t facs,
                                  std::uint32_t dsdt);

/// FACS of version 2 (section 5.2.10): the global lock and a wake vector, neither used.
std::vector<std::byte> build_facs();

/// MADT of revision 5 (section 5.2.12).
std::vector<std::byte> build_madt(const AcpiInputs& inputs,
                                  const std::optional<FixedHardware>& fixed);

/// DSDT (section 5.2.11.1): processors, the devices that describe themselves, and \_S5.
std::vector<std::byte> build_dsdt(const AcpiInputs& inputs,
                                  const std::optional<FixedHardware>& fixed);

} // namespace coldstart
