// Writes the ACPI tables of the golden machines:
//     acpi_dump golden FOLDER   as golden text files, NAME.acpi.txt
//     acpi_dump aml FOLDER      as binary files, NAME-SIGNATURE.aml, for iasl
#include "tests/golden/acpi_configs.h"

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>

namespace {

using namespace coldstart;

void write_file(const std::string& path, std::string_view contents) {
    std::ofstream file(path, std::ios::binary);
    file << contents << std::flush;
    if (!file) {
        std::cerr << "acpi_dump: " << path << ": can't be written\n";
        std::exit(1);
    }
}

void write_tables(const golden::AcpiConfig& config, const std::string& folder) {
    for (const AcpiTablePlace& place : config.tables.places) {
        if (place.signature == "RSD PTR ")
            continue; // not a table of its own for iasl
        const auto* first = reinterpret_cast<const char*>(config.tables.bytes.data());
        write_file(folder + "/" + config.name + "-" + place.signature + ".aml",
                   {first + place.offset, place.size_bytes});
    }
}

} // namespace

int main(int argc, char** argv) {
    const std::string_view mode = argc == 3 ? argv[1] : "";
    if (mode != "golden" && mode != "aml") {
        std::cerr << "usage: acpi_dump golden|aml FOLDER\n";
        return 2;
    }
    const std::string folder = argv[2];
    for (const golden::AcpiConfig& config : golden::acpi_configs()) {
        if (mode == "golden")
            write_file(folder + "/" + config.name + ".acpi.txt", golden::to_text(config));
        else
            write_tables(config, folder);
    }
    return 0;
}
