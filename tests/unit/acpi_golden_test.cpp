#include "tests/golden/acpi_configs.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

using namespace coldstart;

TEST_CASE("ACPI tables are those of the golden files", "[acpi][golden]") {
    const auto folder = std::filesystem::path("tests/golden");
    for (const golden::AcpiConfig& config : golden::acpi_configs()) {
        INFO("tests/golden/README.md says how to renew " << config.name << ".acpi.txt");
        std::ifstream file(folder / (config.name + ".acpi.txt"), std::ios::binary);
        REQUIRE(file);
        const std::string expected{std::istreambuf_iterator<char>(file), {}};
        CHECK(golden::first_difference(golden::to_text(config), expected) == "");
    }
}
