#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/tables/smbios.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>
#include <set>
#include <string>

using namespace coldstart;

namespace {

struct Structure {
    std::uint8_t type = 0;
    std::uint16_t handle = 0;
    ByteView formatted;
    std::vector<std::string> strings;
    std::size_t size = 0;

    template <typename T>
    T at(std::size_t offset) const {
        REQUIRE(offset + sizeof(T) <= formatted.size());
        return load_le<T>(formatted, offset);
    }
    /// The string whose number stands at `offset`.
    std::string text(std::size_t offset) const {
        const auto number = at<std::uint8_t>(offset);
        REQUIRE(number <= strings.size());
        return number == 0 ? "" : strings[number - 1u];
    }
};

/// As firmware and dmidecode walk them: length, then strings up to an empty one.
std::vector<Structure> parse(ByteView rest) {
    std::vector<Structure> all;
    while (!rest.empty()) {
        REQUIRE(rest.size() >= 4);
        Structure found;
        const auto length = load_le<std::uint8_t>(rest, 1);
        found.type = load_le<std::uint8_t>(rest, 0);
        found.handle = load_le<std::uint16_t>(rest, 2);
        REQUIRE(length >= 4);
        REQUIRE(length + 2u <= rest.size());
        found.formatted = rest.first(length);
        std::size_t at = length;
        while (rest[at] != std::byte{0}) {
            std::string text;
            for (; rest[at] != std::byte{0}; ++at) {
                text.push_back(static_cast<char>(rest[at]));
                REQUIRE(at + 1 < rest.size());
            }
            ++at;
            REQUIRE(at < rest.size());
            found.strings.push_back(text);
        }
        at += found.strings.empty() ? 2 : 1;
        REQUIRE(at <= rest.size());
        if (found.strings.empty())
            REQUIRE(rest[at - 1] == std::byte{0});
        found.size = at;
        all.push_back(found);
        rest = rest.subspan(at);
    }
    return all;
}

unsigned sum(ByteView bytes) {
    return std::accumulate(bytes.begin(), bytes.end(), 0u,
                           [](unsigned total, std::byte value) {
                               return total + std::to_integer<unsigned>(value);
                           }) %
           256;
}

std::vector<Structure> of_type(const std::vector<Structure>& all, std::uint8_t type) {
    std::vector<Structure> some;
    std::ranges::copy_if(all, std::back_inserter(some),
                         [&](const Structure& one) { return one.type == type; });
    return some;
}

SmbiosFacts big_machine() {
    SmbiosFacts facts;
    facts.uuid = uuid_of_machine("vm1");
    facts.serial = "S-17";
    facts.sockets = 2;
    facts.cores_per_socket = 4;
    facts.threads_per_core = 2;
    facts.cpuid_1_eax = 0x00a20f12;
    facts.cpuid_1_edx = 0x178bfbff;
    facts.memory_bytes = 40 * GiB;
    facts.map = {{Gpa(0), 640 * KiB, MemoryKind::ram},
                 {Gpa(0xf0000), 64 * KiB, MemoryKind::reserved},
                 {Gpa(1 * MiB), 2 * GiB - 1 * MiB, MemoryKind::ram},
                 {Gpa(4 * GiB), 38 * GiB, MemoryKind::ram}};
    return facts;
}

} // namespace

TEST_CASE("the SMBIOS entry point describes the tables", "[smbios]") {
    const SmbiosTables made = build_smbios(big_machine());
    const auto all = parse(made.tables);
    const ByteView anchor(made.anchor);
    REQUIRE(anchor.size() == 0x1f);
    CHECK(std::string(reinterpret_cast<const char*>(anchor.data()), 4) == "_SM_");
    CHECK(std::string(reinterpret_cast<const char*>(anchor.data() + 0x10), 5) == "_DMI_");
    CHECK(load_le<std::uint8_t>(anchor, 5) == anchor.size());
    CHECK(load_le<std::uint8_t>(anchor, 6) == 2);
    CHECK(load_le<std::uint8_t>(anchor, 7) == 8);
    CHECK(load_le<std::uint16_t>(anchor, 0x16) == made.tables.size());
    CHECK(load_le<std::uint16_t>(anchor, 0x1c) == all.size());
    CHECK(load_le<std::uint16_t>(anchor, 8) ==
          std::ranges::max_element(all, {}, &Structure::size)->size);
    CHECK(sum(anchor) == 0);
    CHECK(sum(anchor.subspan(0x10)) == 0);
}

TEST_CASE("SMBIOS structures have the lengths of version 2.8", "[smbios]") {
    const SmbiosTables made = build_smbios(big_machine());
    const auto all = parse(made.tables);
    std::vector<unsigned> types, lengths;
    std::set<std::uint16_t> handles;
    for (const Structure& one : all) {
        types.push_back(one.type);
        lengths.push_back(static_cast<unsigned>(one.formatted.size()));
        CHECK(handles.insert(one.handle).second);
        for (const std::string& text : one.strings)
            CHECK_FALSE(text.empty());
    }
    CHECK(types == std::vector<unsigned>{1, 3, 4, 4, 16, 17, 17, 17, 19, 19, 19, 32, 127});
    CHECK(lengths == std::vector<unsigned>{0x1b, 0x16, 0x2a, 0x2a, 0x17, 0x28, 0x28, 0x28, 0x1f,
                                           0x1f, 0x1f, 0x0b, 0x04});
}

TEST_CASE("SMBIOS says what machine this is", "[smbios]") {
    SmbiosFacts facts = big_machine();
    for (std::size_t i = 0; i < 16; ++i)
        facts.uuid[i] = static_cast<std::byte>(i);
    const SmbiosTables made = build_smbios(facts);
    const auto all = parse(made.tables);
    const Structure system = of_type(all, 1).at(0);
    CHECK(system.text(4) == "coldstart");
    CHECK(system.text(5) == "pc");
    CHECK(system.text(6).empty());
    CHECK(system.text(7) == "S-17");
    CHECK(system.at<std::uint32_t>(8) == 0x00010203); // little-endian fields
    CHECK(system.at<std::uint16_t>(12) == 0x0405);
    CHECK(system.at<std::uint16_t>(14) == 0x0607);
    CHECK(system.at<std::uint64_t>(16) == 0x0f0e0d0c0b0a0908); // as they are

    const Structure chassis = of_type(all, 3).at(0);
    CHECK(chassis.text(4) == "coldstart");
    CHECK(chassis.text(7) == "S-17");
    CHECK(chassis.at<std::uint8_t>(0x13) == 0);
}

TEST_CASE("SMBIOS counts processors and memory", "[smbios]") {
    const SmbiosTables made = build_smbios(big_machine());
    const auto all = parse(made.tables);
    const auto cpus = of_type(all, 4);
    CHECK(cpus.at(1).text(4) == "CPU 1");
    CHECK(cpus.at(1).at<std::uint32_t>(8) == 0x00a20f12);
    CHECK(cpus.at(1).at<std::uint32_t>(12) == 0x178bfbff);
    CHECK(cpus.at(1).at<std::uint8_t>(0x18) == 0x41);
    CHECK(cpus.at(1).at<std::uint8_t>(0x23) == 4);
    CHECK(cpus.at(1).at<std::uint8_t>(0x25) == 8);

    const Structure array = of_type(all, 16).at(0);
    CHECK(array.at<std::uint32_t>(7) == 40 * MiB); // in KiB
    CHECK(array.at<std::uint16_t>(0x0d) == 3);
    const auto dimms = of_type(all, 17);
    CHECK(dimms.at(0).at<std::uint16_t>(4) == array.handle);
    CHECK(dimms.at(0).at<std::uint16_t>(0x0c) == 16384);
    CHECK(dimms.at(2).at<std::uint16_t>(0x0c) == 8192);
    CHECK(dimms.at(2).text(0x10) == "DIMM 2");
    const auto maps = of_type(all, 19);
    CHECK(maps.at(0).at<std::uint32_t>(8) == 639);
    CHECK(maps.at(1).at<std::uint32_t>(4) == 1024);
    CHECK(maps.at(1).at<std::uint32_t>(8) == 2 * MiB - 1);
    CHECK(maps.at(2).at<std::uint32_t>(4) == 4 * MiB);
    CHECK(maps.at(2).at<std::uint16_t>(0x0c) == array.handle);

    SmbiosFacts huge = big_machine();
    huge.map = {{Gpa(4 * GiB), 5 * 1024 * GiB, MemoryKind::ram}};
    const SmbiosTables more = build_smbios(huge);
    const auto beyond = of_type(parse(more.tables), 19);
    CHECK(beyond.at(0).at<std::uint32_t>(4) == 0xffffffff);
    CHECK(beyond.at(0).at<std::uint64_t>(0x0f) == 4 * GiB);
    CHECK(beyond.at(0).at<std::uint64_t>(0x17) == (4 + 5 * 1024) * GiB - 1);

    huge.sockets = 2000;
    CHECK_THROWS_AS(build_smbios(huge), Error);
}

TEST_CASE("a machine's UUID depends on its id alone", "[smbios]") {
    CHECK(uuid_of_machine("a") == uuid_of_machine("a"));
    CHECK(uuid_of_machine("a") != uuid_of_machine("b"));
    CHECK(uuid_of_machine("") != uuid_of_machine("a"));
    const Uuid uuid = uuid_of_machine("web-7");
    CHECK((uuid[6] & std::byte{0xf0}) == std::byte{0x80});
    CHECK((uuid[8] & std::byte{0xc0}) == std::byte{0x80});
}
