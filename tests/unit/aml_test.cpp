// Expected bytes of resources and objects are what iasl 20200925 makes of the ASL beside them.
#include "vmm/base/error.h"
#include "vmm/tables/aml.h"
#include "vmm/tables/aml_resources.h"

#include <array>
#include <catch2/catch.hpp>
#include <initializer_list>
#include <string>
#include <vector>

using namespace coldstart;

namespace {

std::vector<std::byte> bytes(std::initializer_list<unsigned> values) {
    std::vector<std::byte> made;
    for (const unsigned value : values)
        made.push_back(static_cast<std::byte>(value));
    return made;
}

aml::Term filler(std::size_t size) {
    aml::Term term;
    term.bytes.assign(size, std::byte{0xa3}); // Noop
    return term;
}

/// The number in a PkgLength, read back as ACPI 6.4 section 20.2.4 says.
std::size_t decode_length(const std::vector<std::byte>& encoded) {
    const auto lead = std::to_integer<std::size_t>(encoded[0]);
    const std::size_t extra = lead >> 6;
    REQUIRE(encoded.size() == extra + 1);
    if (extra == 0)
        return lead & 0x3f;
    std::size_t length = lead & 0xf;
    CHECK((lead & 0x30) == 0);
    for (std::size_t i = 0; i < extra; ++i)
        length |= std::to_integer<std::size_t>(encoded[i + 1]) << (4 + 8 * i);
    return length;
}

} // namespace

TEST_CASE("a package length counts itself and takes as few bytes as it can", "[aml]") {
    struct Border {
        std::size_t contents;
        std::size_t length_bytes;
    };
    const Border borders[] = {
        {0, 1},
        {62, 1},
        {63, 2},
        {4093, 2},
        {4094, 3},
        {(1 << 20) - 4, 3},
        {(1 << 20) - 3, 4},
        {(1 << 28) - 5, 4},
    };
    for (const Border& border : borders) {
        CAPTURE(border.contents);
        const auto encoded = aml::package_length(border.contents).bytes;
        CHECK(encoded.size() == border.length_bytes);
        CHECK(decode_length(encoded) == border.contents + border.length_bytes);
    }
    CHECK(aml::package_length(62).bytes == bytes({0x3f}));
    CHECK(aml::package_length(63).bytes == bytes({0x41, 0x04}));
    CHECK_THROWS_AS(aml::package_length((1 << 28) - 4), Error);
}

TEST_CASE("integers take their shortest encoding", "[aml]") {
    CHECK(aml::integer(0).bytes == bytes({0x00}));
    CHECK(aml::integer(1).bytes == bytes({0x01}));
    CHECK(aml::integer(2).bytes == bytes({0x0a, 0x02}));
    CHECK(aml::integer(0xff).bytes == bytes({0x0a, 0xff}));
    CHECK(aml::integer(0x100).bytes == bytes({0x0b, 0x00, 0x01}));
    CHECK(aml::integer(0xffff).bytes == bytes({0x0b, 0xff, 0xff}));
    CHECK(aml::integer(0x12345678).bytes == bytes({0x0c, 0x78, 0x56, 0x34, 0x12}));
    CHECK(aml::integer(0x100000000).bytes == bytes({0x0e, 0, 0, 0, 0, 1, 0, 0, 0}));
    CHECK(aml::integer(~0ull).bytes == bytes({0xff}));
}

TEST_CASE("names are padded, prefixed by their number of segments and checked", "[aml]") {
    CHECK(aml::name_string("_S5").bytes == bytes({'_', 'S', '5', '_'}));
    CHECK(aml::name_string("\\_SB").bytes == bytes({'\\', '_', 'S', 'B', '_'}));
    CHECK(aml::name_string("\\").bytes == bytes({'\\', 0}));
    CHECK(aml::name_string("^BARR").bytes == bytes({'^', 'B', 'A', 'R', 'R'}));
    // \_SB.AAAA and \_SB.AAAA.FOOO
    CHECK(aml::name_string("\\_SB.AAAA").bytes ==
          bytes({0x5c, 0x2e, '_', 'S', 'B', '_', 'A', 'A', 'A', 'A'}));
    CHECK(aml::name_string("\\_SB.AAAA.FOOO").bytes ==
          bytes({0x5c, 0x2f, 3, '_', 'S', 'B', '_', 'A', 'A', 'A', 'A', 'F', 'O', 'O', 'O'}));
    for (const char* bad : {"TOOLONG", "low", "1ABC", "A.", ".A", "A..B", "A B", "\xc3\x84"}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(aml::name_string(bad), Error);
    }
}

TEST_CASE("EISA ids are packed as iasl packs them", "[aml]") {
    CHECK(aml::eisa_id("PNP0501").bytes == bytes({0x0c, 0x41, 0xd0, 0x05, 0x01}));
    CHECK(aml::eisa_id("ACE0A03").bytes == bytes({0x0c, 0x04, 0x65, 0x0a, 0x03}));
    CHECK(aml::eisa_id("PNP0000").bytes == bytes({0x0b, 0x41, 0xd0}));
    for (const char* bad : {"", "PNP050", "PNP05011", "pnp0501", "PNP050G", "PNP050a", "ACPI0007"})
        CHECK_THROWS_AS(aml::eisa_id(bad), Error);
}

TEST_CASE("resources encode as iasl encodes them", "[aml]") {
    aml::ResourceTemplate resources;
    CHECK(resources.empty());
    resources
        .io(0x3f8, 8)                       // IO (Decode16, 0x3F8, 0x3F8, 0x01, 0x08)
        .irq_no_flags(4)                    // IRQNoFlags () {4}
        .interrupt(9, false)                // Interrupt (ResourceConsumer, Level, ActiveHigh,
        .interrupt(23, true)                //   Exclusive,,,) {9}; the same, Edge, {23}
        .memory32_fixed(0xd0000000, 0x1000) // Memory32Fixed (ReadWrite, 0xD0000000, 0x1000)
        .word_io(0x1000, 0x1000)            // WordIO (ResourceConsumer, MinFixed, MaxFixed,
                                            //   PosDecode, EntireRange, 0, 0x1000, 0x1FFF, 0,
                                            //   0x1000)
        .qword_memory(0x100000000, 0x1000); // QWordMemory (ResourceConsumer, PosDecode,
                                            //   MinFixed, MaxFixed, NonCacheable, ReadWrite,
                                            //   0, 0x100000000, 0x100000FFF, 0, 0x1000)
    CHECK_FALSE(resources.empty());
    const auto expected = bytes({
        0x11, 0x4d, 0x06, 0x0a, 0x69,                         // Buffer (0x69)
        0x47, 0x01, 0xf8, 0x03, 0xf8, 0x03, 0x01, 0x08,       //
        0x22, 0x10, 0x00,                                     //
        0x89, 0x06, 0x00, 0x01, 0x01, 0x09, 0x00, 0x00, 0x00, //
        0x89, 0x06, 0x00, 0x03, 0x01, 0x17, 0x00, 0x00, 0x00, //
        0x86, 0x09, 0x00, 0x01, 0x00, 0x00, 0x00, 0xd0,       //
        0x00, 0x10, 0x00, 0x00,                               //
        0x88, 0x0d, 0x00, 0x01, 0x0d, 0x03, 0x00, 0x00,       //
        0x00, 0x10, 0xff, 0x1f, 0x00, 0x00, 0x00, 0x10,       //
        0x8a, 0x2b, 0x00, 0x00, 0x0d, 0x01, 0x00, 0x00,       //
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,       //
        0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0xff, 0x0f,       //
        0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00,       //
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10,       //
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x79, 0x00,       //
    });
    CHECK(resources.term().bytes == expected);
}

TEST_CASE("objects nest as iasl nests them", "[aml]") {
    // Method (_STA, 0, NotSerialized) { Return (0x0F) }
    CHECK(aml::method("_STA", 0, false, aml::return_value(aml::integer(15))).bytes ==
          bytes({0x14, 0x09, '_', 'S', 'T', 'A', 0x00, 0xa4, 0x0a, 0x0f}));
    // Method (MMMM, 3, Serialized) { Return (Zero) }
    CHECK(aml::method("MMMM", 3, true, aml::return_value(aml::integer(0))).bytes ==
          bytes({0x14, 0x08, 'M', 'M', 'M', 'M', 0x0b, 0xa4, 0x00}));
    // Name (STRI, "hi")
    CHECK(aml::name("STRI", aml::string("hi")).bytes ==
          bytes({0x08, 'S', 'T', 'R', 'I', 0x0d, 'h', 'i', 0x00}));
    // Name (PKGS, Package (4) {5, 5, 2, 2}): integers above one, which iasl -oa leaves alone
    const std::array<aml::Term, 4> elements = {aml::integer(5), aml::integer(5), aml::integer(2),
                                               aml::integer(2)};
    CHECK(aml::name("PKGS", aml::package(elements)).bytes ==
          bytes({0x08, 'P', 'K', 'G', 'S', 0x12, 0x0a, 0x04, 0x0a, 0x05, 0x0a, 0x05, 0x0a, 0x02,
                 0x0a, 0x02}));
    // Device (AAAA) {} in Scope (\_SB)
    CHECK(aml::scope("\\_SB", aml::device("AAAA", {})).bytes ==
          bytes({0x10, 0x0d, '\\', '_', 'S', 'B', '_', 0x5b, 0x82, 0x05, 'A', 'A', 'A', 'A'}));
    // A device as large as the first border of PkgLength: 4 bytes of name and 59 of contents.
    CHECK(aml::device("AAAA", filler(58)).bytes.size() == 2 + 1 + 4 + 58);
    CHECK(aml::device("AAAA", filler(59)).bytes.size() == 2 + 2 + 4 + 59);
}

TEST_CASE("what AML can't say is refused", "[aml]") {
    CHECK_THROWS_AS(aml::method("_STA", 8, false, {}), Error);
    CHECK_THROWS_AS(aml::string("\xc3\xa4"), Error);
    CHECK_THROWS_AS(aml::package(std::vector<aml::Term>(256)), Error);
    CHECK_NOTHROW(aml::package(std::vector<aml::Term>(255)));
}
