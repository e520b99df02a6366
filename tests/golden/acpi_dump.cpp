// Writes the ACPI tables of the golden machines:
//     acpi_dump golden FOLDER   as golden text files, NAME.acpi.txt
//     acpi_dump aml FOLDER      as binary files, NAME-SIGNATURE.aml, for iasl
//     acpi_dump blobs FOLDER    those of "pc" as fw_cfg hands them to firmware: tables, rsdp, loader
#include "tests/golden/acpi_configs.h"

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

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

void write_blob(const std::string& path, const std::vector<std::byte>& bytes) {
    write_file(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

void write_blobs(const std::string& folder) {
    const AcpiBlobs blobs = golden::pc_blobs(golden::pc_chipset());
    write_blob(folder + "/tables", blobs.tables);
    write_blob(folder + "/rsdp", blobs.rsdp);
    write_blob(folder + "/loader", blobs.loader);
}

} // namespace

int main(int argc, char** argv) {
    const std::string_view mode = argc == 3 ? argv[1] : "";
    if (mode != "golden" && mode != "aml" && mode != "blobs") {
        std::cerr << "usage: acpi_dump golden|aml|blobs FOLDER\n";
        return 2;
    }
    const std::string folder = argv[2];
    if (mode == "blobs") {
        write_blobs(folder);
        return 0;
    }
    for (const golden::AcpiConfig& config : golden::acpi_configs()) {
        if (mode == "golden")
            write_file(folder + "/" + config.name + ".acpi.txt", golden::to_text(config));
        else
            write_tables(config, folder);
    }
    return 0;
}
