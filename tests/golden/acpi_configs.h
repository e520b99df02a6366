// The machines whose ACPI tables are kept as golden files: fixed, made of fake devices that
// describe themselves as real ones do, so that a golden file changes only when the tables do.
#pragma once

#include "vmm/tables/acpi_tables.h"

#include <string>
#include <vector>

namespace coldstart::golden {

struct AcpiConfig {
    std::string name;
    AcpiTables tables;
};

std::vector<AcpiConfig> acpi_configs();

/// Configuration "pc" as files for firmware.
PciAcpiFacts pc_chipset();
AcpiBlobs pc_blobs(const PciAcpiFacts& chipset);

/// The golden file's text: a line for each table, its bytes in hexadecimal below.
std::string to_text(const AcpiConfig& config);

/// Empty when the texts are the same; else the first lines that differ, for a failure's message.
std::string first_difference(const std::string& got, const std::string& expected);

} // namespace coldstart::golden
