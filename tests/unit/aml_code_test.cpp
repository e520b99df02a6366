// Expected bytes are what iasl 20200925 (with -oa) makes of the ASL beside them.
#include "vmm/base/error.h"
#include "vmm/tables/aml_code.h"
#include "vmm/tables/aml_resources.h"

#include <array>
#include <catch2/catch.hpp>
#include <initializer_list>
#include <vector>

using namespace coldstart;

namespace {

std::vector<std::byte> bytes(std::initializer_list<unsigned> values) {
    std::vector<std::byte> made;
    for (const unsigned value : values)
        made.push_back(static_cast<std::byte>(value));
    return made;
}

} // namespace

TEST_CASE("a region and its byte fields encode as iasl encodes them", "[aml]") {
    // OperationRegion (REGS, PCI_Config, 0x60, 0x0C)
    CHECK(aml::operation_region("REGS", aml::RegionSpace::pci_config, 0x60, 12).bytes ==
          bytes({0x5b, 0x80, 'R', 'E', 'G', 'S', 0x02, 0x0a, 0x60, 0x0a, 0x0c}));
    // Field (REGS, ByteAcc, NoLock, Preserve) { FLDA, 8, , 56, FLDB, 8 }
    const std::array<aml::FieldUnit, 3> units = {
        {{.name = "FLDA"}, {.bytes = 7}, {.name = "FLDB"}}};
    CHECK(aml::byte_fields("REGS", units).bytes ==
          bytes({0x5b, 0x81, 0x12, 'R',  'E',  'G', 'S', 0x01, 'F', 'L',
                 'D',  'A',  0x08, 0x00, 0x38, 'F', 'L', 'D',  'B', 0x08}));
    // A gap of 96 bits takes two bytes: , 96
    const std::array<aml::FieldUnit, 1> gap = {{{.bytes = 12}}};
    CHECK(aml::byte_fields("REGS", gap).bytes ==
          bytes({0x5b, 0x81, 0x09, 'R', 'E', 'G', 'S', 0x01, 0x00, 0x40, 0x06}));
    const std::array<aml::FieldUnit, 1> short_name = {{{.name = "FLD"}}};
    CHECK_THROWS_AS(aml::byte_fields("REGS", short_name), Error);
    const std::array<aml::FieldUnit, 1> too_wide = {{{.bytes = 512}}};
    CHECK_THROWS_AS(aml::byte_fields("REGS", too_wide), Error);
}

TEST_CASE("a method's statements encode as iasl encodes them", "[aml]") {
    const aml::Term a = aml::name_string("FLDA"), c = aml::name_string("FLDC");
    const aml::Term value = aml::argument(1), local = aml::local(0);
    // CreateDWordField (Arg0, 5, FLDC)
    CHECK(aml::dword_field(aml::argument(0), 5, "FLDC").bytes ==
          bytes({0x8a, 0x68, 0x0a, 0x05, 'F', 'L', 'D', 'C'}));
    // If (!(Arg1 & 0x80)) { FLDA = FLDC } Else { FLDA |= 0x80 }
    const aml::Term branch =
        aml::if_true(aml::is_zero(aml::bit_and(value, aml::integer(0x80))), aml::assign(a, c)) +
        aml::otherwise(aml::bit_or(a, aml::integer(0x80), a));
    CHECK(branch.bytes == bytes({0xa0, 0x10, 0x92, 0x7b, 0x69, 0x0a, 0x80, 0x00, 0x70, 'F',
                                 'L',  'D',  'C',  'F',  'L',  'D',  'A',  0xa1, 0x0c, 0x7d,
                                 'F',  'L',  'D',  'A',  0x0a, 0x80, 'F',  'L',  'D',  'A'}));
    // Local0 = (Arg1 & 0x0f)
    CHECK(aml::bit_and(value, aml::integer(15), local).bytes ==
          bytes({0x7b, 0x69, 0x0a, 0x0f, 0x60}));
    // If (Arg1 == Local0) { Return (TEST (Arg0, 3)) }
    const std::array<aml::Term, 2> arguments = {aml::argument(0), aml::integer(3)};
    CHECK(aml::if_true(aml::equal(value, local), aml::return_value(aml::call("TEST", arguments)))
              .bytes ==
          bytes({0xa0, 0x0c, 0x93, 0x69, 0x60, 0xa4, 'T', 'E', 'S', 'T', 0x68, 0x0a, 0x03}));
    // If (Arg1 != Local0) { Return (0x0b) }
    CHECK(aml::if_true(aml::not_equal(value, local), aml::return_value(aml::integer(11))).bytes ==
          bytes({0xa0, 0x08, 0x92, 0x93, 0x69, 0x60, 0xa4, 0x0a, 0x0b}));
    CHECK(aml::argument(6).bytes == bytes({0x6e}));
    CHECK(aml::local(7).bytes == bytes({0x67}));
    CHECK_THROWS_AS(aml::argument(7), Error);
    CHECK_THROWS_AS(aml::local(8), Error);
}

TEST_CASE("a bridge's windows encode as iasl encodes them", "[aml]") {
    const std::array<std::uint32_t, 3> irqs = {5, 10, 11};
    aml::ResourceTemplate resources;
    resources
        .bus_window(0, 0xff)      // WordBusNumber (ResourceProducer, MinFixed, MaxFixed,
                                  //   PosDecode, 0, 0, 0xFF, 0, 0x100)
        .io_window(0xd00, 0xffff) // WordIO (ResourceProducer, MinFixed, MaxFixed,
                                  //   PosDecode, EntireRange, 0, 0xD00, 0xFFFF, 0, 0xF300)
        .memory32_window(0xa0000, 0xbffff, true) // DWordMemory (ResourceProducer, PosDecode,
                                                 //   MinFixed, MaxFixed, Cacheable, ReadWrite, 0,
                                                 //   0xA0000, 0xBFFFF, 0, 0x20000)
        .memory32_window(0xc0000000, 0xfebfffff, false)  // the same, NonCacheable
        .memory64_window(0x800000000, 0xfffffffff, true) // QWordMemory (the same, Cacheable)
        .interrupt_choice(irqs); // Interrupt (ResourceConsumer, Level, ActiveHigh, Shared)
    const auto expected = bytes({
        0x11, 0x49, 0x09, 0x0a, 0x95,                         // Buffer (0x95)
        0x88, 0x0d, 0x00, 0x02, 0x0c, 0x00, 0x00, 0x00,       //
        0x00, 0x00, 0xff, 0x00, 0x00, 0x00, 0x00, 0x01,       //
        0x88, 0x0d, 0x00, 0x01, 0x0c, 0x03, 0x00, 0x00,       //
        0x00, 0x0d, 0xff, 0xff, 0x00, 0x00, 0x00, 0xf3,       //
        0x87, 0x17, 0x00, 0x00, 0x0c, 0x03, 0x00, 0x00,       //
        0x00, 0x00, 0x00, 0x00, 0x0a, 0x00, 0xff, 0xff,       //
        0x0b, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,       //
        0x02, 0x00,                                           //
        0x87, 0x17, 0x00, 0x00, 0x0c, 0x01, 0x00, 0x00,       //
        0x00, 0x00, 0x00, 0x00, 0x00, 0xc0, 0xff, 0xff,       //
        0xbf, 0xfe, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,       //
        0xc0, 0x3e,                                           //
        0x8a, 0x2b, 0x00, 0x00, 0x0c, 0x03, 0x00, 0x00,       //
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,       //
        0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0xff, 0xff,       //
        0xff, 0xff, 0x0f, 0x00, 0x00, 0x00, 0x00, 0x00,       //
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,       //
        0x00, 0x00, 0x08, 0x00, 0x00, 0x00,                   //
        0x89, 0x0e, 0x00, 0x09, 0x03, 0x05, 0x00, 0x00,       //
        0x00, 0x0a, 0x00, 0x00, 0x00, 0x0b, 0x00, 0x00, 0x00, //
        0x79, 0x00,                                           //
    });
    CHECK(resources.term().bytes == expected);
}
