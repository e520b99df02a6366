// The files of etc/table-loader, run by a firmware of this test's own: it does what the format
// says and checks what SeaBIOS and OVMF check.
#include "tests/golden/acpi_configs.h"
#include "vmm/base/bytes.h"
#include "vmm/tables/acpi_tables.h"
#include "vmm/tables/sdt.h"
#include "vmm/tables/table_loader.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace coldstart;

namespace {

std::string text_at(ByteView bytes, std::size_t offset, std::size_t room) {
    const auto* first = reinterpret_cast<const char*>(bytes.data() + offset);
    const std::string text(first, std::find(first, first + room, '\0'));
    REQUIRE(text.size() < room);
    return text;
}

std::string signature(ByteView table) {
    return {reinterpret_cast<const char*>(table.data()), 4};
}

class FakeFirmware {
  public:
    struct Loaded {
        std::uint64_t address = 0;
        std::vector<std::byte> bytes;
    };

    explicit FakeFirmware(const AcpiBlobs& blobs)
        : files_{{std::string(acpi_tables_file), blobs.tables},
                 {std::string(acpi_rsdp_file), blobs.rsdp}} {}

    void run(ByteView script) {
        REQUIRE(script.size() % TableLoaderScript::command_bytes == 0);
        for (std::size_t at = 0; at < script.size(); at += TableLoaderScript::command_bytes)
            obey(script.subspan(at, TableLoaderScript::command_bytes));
    }

    Loaded& loaded(std::string_view file) {
        const auto found = loaded_.find(std::string(file));
        REQUIRE(found != loaded_.end());
        return found->second;
    }

    /// The memory at `address`, up to the end of the file that is there.
    ByteView at(std::uint64_t address) {
        for (const auto& [name, file] : loaded_) {
            if (address >= file.address && address - file.address < file.bytes.size())
                return ByteView(file.bytes).subspan(address - file.address);
        }
        FAIL("nothing was loaded at " << address);
        return {};
    }

    ByteView table_at(std::uint64_t address) {
        const ByteView rest = at(address);
        REQUIRE(rest.size() >= 8);
        const auto length = load_le<std::uint32_t>(rest, 4);
        REQUIRE(length >= 36);
        REQUIRE(length <= rest.size());
        return rest.first(length);
    }

    /// What ADD_POINTER commands point to, as OVMF gathers it.
    std::set<std::uint64_t> pointed_to() {
        std::set<std::uint64_t> targets;
        for (const auto& [file, offset, size] : pointers_) {
            const ByteView bytes = loaded(file).bytes;
            targets.insert(size == 4 ? load_le<std::uint32_t>(bytes, offset)
                                     : load_le<std::uint64_t>(bytes, offset));
        }
        return targets;
    }

    unsigned commands = 0;

  private:
    struct Pointer {
        std::string file;
        std::uint32_t offset;
        unsigned size;
    };

    void obey(ByteView command) {
        const auto number = load_le<std::uint32_t>(command);
        commands += number != 0;
        switch (number) {
        case 0:
            CHECK(std::all_of(command.begin(), command.end(),
                              [](std::byte byte) { return byte == std::byte{0}; }));
            break;
        case 1:
            allocate(command);
            break;
        case 2:
            add_pointer(command);
            break;
        case 3:
            add_checksum(command);
            break;
        default:
            FAIL("command " << number);
        }
    }

    void allocate(ByteView command) {
        const std::string name = text_at(command, 4, 56);
        const auto alignment = load_le<std::uint32_t>(command, 60);
        const auto zone = load_le<std::uint8_t>(command, 64);
        REQUIRE(files_.count(name) == 1);
        REQUIRE(loaded_.count(name) == 0);
        REQUIRE((alignment & (alignment - 1)) == 0);
        REQUIRE(alignment <= 4096);
        REQUIRE((zone == 1 || zone == 2));
        CHECK((zone == 2) == (name == acpi_rsdp_file));
        // An odd multiple, so that nothing is aligned better by chance.
        const std::uint64_t base = zone == 2 ? 0xf0000 : 0x7ffd0000;
        loaded_[name] = {base + alignment, files_[name]};
    }

    void add_pointer(ByteView command) {
        const std::string in_file = text_at(command, 4, 56);
        const std::string to_file = text_at(command, 60, 56);
        const auto offset = load_le<std::uint32_t>(command, 116);
        const auto size = load_le<std::uint8_t>(command, 120);
        Loaded& from = loaded(in_file);
        const Loaded& to = loaded(to_file);
        REQUIRE((size == 4 || size == 8));
        REQUIRE(range_inside(offset, size, from.bytes.size()));
        std::uint64_t value = size == 4 ? load_le<std::uint32_t>(from.bytes, offset)
                                        : load_le<std::uint64_t>(from.bytes, offset);
        REQUIRE(value < to.bytes.size());
        value += to.address;
        if (size == 4)
            store_le(std::span(from.bytes), offset, static_cast<std::uint32_t>(value));
        else
            store_le(std::span(from.bytes), offset, value);
        pointers_.push_back({in_file, offset, size});
    }

    void add_checksum(ByteView command) {
        Loaded& file = loaded(text_at(command, 4, 56));
        const auto offset = load_le<std::uint32_t>(command, 60);
        const auto start = load_le<std::uint32_t>(command, 64);
        const auto length = load_le<std::uint32_t>(command, 68);
        REQUIRE(range_inside(start, length, file.bytes.size()));
        REQUIRE(offset >= start);
        REQUIRE(offset < start + length);
        // OVMF replaces the byte by what makes the sum zero, which is right if it was zero.
        REQUIRE(file.bytes[offset] == std::byte{0});
        file.bytes[offset] = std::byte{checksum_of(ByteView(file.bytes).subspan(start, length))};
    }

    std::map<std::string, std::vector<std::byte>> files_;
    std::map<std::string, Loaded> loaded_;
    std::vector<Pointer> pointers_;
};

/// Signatures of the tables RSDT or XSDT has, each table's sum checked.
std::vector<std::string> listed(FakeFirmware& firmware, ByteView root, std::size_t pointer_bytes) {
    std::vector<std::string> found;
    for (std::size_t at = 36; at < root.size(); at += pointer_bytes) {
        const std::uint64_t address = pointer_bytes == 4 ? load_le<std::uint32_t>(root, at)
                                                         : load_le<std::uint64_t>(root, at);
        const ByteView table = firmware.table_at(address);
        found.push_back(signature(table));
        CHECK(checksum_of(table) == 0);
    }
    return found;
}

} // namespace

TEST_CASE("firmware that runs the loader's script gets tables that hold together", "[acpi]") {
    const AcpiBlobs blobs = golden::pc_blobs(golden::pc_chipset());
    FakeFirmware firmware(blobs);
    firmware.run(blobs.loader);

    const ByteView rsdp = firmware.loaded(acpi_rsdp_file).bytes;
    REQUIRE(rsdp.size() == 36);
    CHECK(signature(rsdp) == "RSD ");
    CHECK(firmware.loaded(acpi_rsdp_file).address % 16 == 0);
    CHECK(load_le<std::uint8_t>(rsdp, 15) == 2);
    CHECK(checksum_of(rsdp.first(20)) == 0);
    CHECK(checksum_of(rsdp) == 0);

    const ByteView rsdt = firmware.table_at(load_le<std::uint32_t>(rsdp, 16));
    const ByteView xsdt = firmware.table_at(load_le<std::uint64_t>(rsdp, 24));
    CHECK(signature(rsdt) == "RSDT");
    CHECK(signature(xsdt) == "XSDT");
    CHECK(checksum_of(rsdt) == 0);
    CHECK(checksum_of(xsdt) == 0);
    const std::vector<std::string> tables = {"FACP", "APIC", "MCFG", "HPET", "WAET"};
    CHECK(listed(firmware, rsdt, 4) == tables);
    CHECK(listed(firmware, xsdt, 8) == tables);

    const ByteView fadt = firmware.table_at(load_le<std::uint32_t>(rsdt, 36));
    const auto facs = load_le<std::uint32_t>(fadt, 36);
    CHECK(facs % 64 == 0);
    CHECK(signature(firmware.table_at(facs)) == "FACS");
    CHECK(load_le<std::uint64_t>(fadt, 132) == 0); // X_FIRMWARE_CTRL
    const auto dsdt = load_le<std::uint32_t>(fadt, 40);
    CHECK(load_le<std::uint64_t>(fadt, 140) == dsdt);
    CHECK(signature(firmware.table_at(dsdt)) == "DSDT");
    CHECK(checksum_of(firmware.table_at(dsdt)) == 0);
}

TEST_CASE("every table is the target of a pointer command, or OVMF would not install it",
          "[acpi]") {
    const AcpiBlobs blobs = golden::pc_blobs(golden::pc_chipset());
    FakeFirmware firmware(blobs);
    firmware.run(blobs.loader);
    std::set<std::uint64_t> expected;
    for (const AcpiTablePlace& place : blobs.places)
        expected.insert(firmware.loaded(acpi_tables_file).address + place.offset);
    CHECK(expected.size() == 9);
    CHECK(firmware.pointed_to() == expected);
    // 2 files; 2 pointers of the RSDP, 3 of the FADT, 5 of each root; 8 tables with a checksum and
    // the RSDP's two.
    CHECK(firmware.commands == 2 + 2 + 3 + 5 * 2 + 8 + 2);
}

TEST_CASE("the loaded tables are those of a fixed address", "[acpi]") {
    AcpiBlobs blobs = golden::pc_blobs(golden::pc_chipset());
    FakeFirmware firmware(blobs);
    firmware.run(blobs.loader);
    const auto configs = golden::acpi_configs();
    const auto pc = std::find_if(configs.begin(), configs.end(),
                                 [](const auto& config) { return config.name == "pc"; });
    REQUIRE(pc != configs.end());
    // Both RSDT and XSDT are full of addresses; the rest differs in none but the FADT's.
    for (const char* name : {"DSDT", "APIC", "MCFG", "HPET", "WAET", "FACS"}) {
        const auto here =
            std::find_if(blobs.places.begin(), blobs.places.end(),
                         [&](const AcpiTablePlace& place) { return place.signature == name; });
        const auto there =
            std::find_if(pc->tables.places.begin(), pc->tables.places.end(),
                         [&](const AcpiTablePlace& place) { return place.signature == name; });
        REQUIRE(here != blobs.places.end());
        REQUIRE(there != pc->tables.places.end());
        const ByteView loaded = ByteView(firmware.loaded(acpi_tables_file).bytes)
                                    .subspan(here->offset, here->size_bytes);
        const ByteView fixed = ByteView(pc->tables.bytes).subspan(there->offset, there->size_bytes);
        INFO(name);
        CHECK(std::equal(loaded.begin(), loaded.end(), fixed.begin(), fixed.end()));
    }
}

TEST_CASE("the files keep their sizes when firmware moves windows and ECAM", "[acpi]") {
    const AcpiBlobs before = golden::pc_blobs(PciAcpiFacts{.pm_base = 0x600});
    const AcpiBlobs after = golden::pc_blobs(golden::pc_chipset());
    CHECK(before.tables != after.tables);
    CHECK(before.tables.size() == after.tables.size());
    CHECK(before.loader.size() == after.loader.size());
    CHECK(before.rsdp.size() == after.rsdp.size());
    FakeFirmware firmware(before);
    firmware.run(before.loader);
}
