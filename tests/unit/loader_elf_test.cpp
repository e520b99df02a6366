#include "firmware-loaders/elf/elf_image.h"
#include "tests/unit/loader_images.h"

#include <catch2/catch.hpp>

using namespace coldstart;
using namespace coldstart::images;
using Catch::Contains;

namespace {

ElfImage parse(const Bytes& bytes) {
    return parse_elf(in_memory(bytes));
}

/// A program header's field of a 64-bit file: header `index`, field at `offset` inside it.
template <typename T>
Bytes with_field(Bytes bytes, std::size_t index, std::size_t offset, T value) {
    store_le(std::span(bytes), sizeof(Elf64_Ehdr) + index * sizeof(Elf64_Phdr) + offset, value);
    return bytes;
}

} // namespace

TEST_CASE("an ELF kernel's segments, notes and entries are read", "[loaders]") {
    const ElfImage elf = parse(small_vmlinux().build());
    CHECK(elf.is_64);
    CHECK(elf.is_linux);
    CHECK(elf.entry == 0x200000);
    REQUIRE(elf.segments.size() == 2);
    CHECK(elf.segments[1].physical_address == 0x201000);
    CHECK(elf.segments[1].file_bytes == 100);
    CHECK(elf.segments[1].memory_bytes == 0x800);
    CHECK(elf.pvh_entry == 0x200040u);
    CHECK(elf.lowest_address() == 0x200000);
    CHECK(elf.end_address() == 0x201800);
    CHECK(elf.maps(0x2017ff));
    CHECK_FALSE(elf.maps(0x201800));
    CHECK_FALSE(elf.maps(0x200258));

    const ElfImage small = parse(small_pvh32().build32());
    CHECK_FALSE(small.is_64);
    CHECK_FALSE(small.is_linux);
    CHECK(small.pvh_entry == 0x100010u);
}

TEST_CASE("a Linux note makes a kernel Linux however it is linked", "[loaders]") {
    ElfBuilder builder;
    builder.map_base = 0;
    builder.parts.push_back({0x200000, pattern(64), 0});
    CHECK_FALSE(parse(builder.build()).is_linux);
    builder.add_note("Linux", 0x100, bytes_of("salt"));
    const ElfImage elf = parse(builder.build());
    CHECK(elf.is_linux);
    REQUIRE(elf.notes.size() == 1);
    CHECK(elf.notes[0].owner == "Linux");
    CHECK(elf.notes[0].type == 0x100);
    CHECK(elf.notes[0].value == bytes_of("salt"));
    CHECK_FALSE(elf.pvh_entry);
}

TEST_CASE("damaged ELF files are refused", "[loaders]") {
    const Bytes good = small_vmlinux().build();
    CHECK_NOTHROW(parse(good));
    // Header 0 is the note, 1 the first segment.
    CHECK_THROWS_WITH(parse(with_field(good, 1, offsetof(Elf64_Phdr, p_filesz), 601ull << 40)),
                      Contains("more bytes in the file than in memory"));
    CHECK_THROWS_WITH(parse(with_field(good, 1, offsetof(Elf64_Phdr, p_offset), ~0ull)),
                      Contains("past the end of the file"));
    CHECK_THROWS_WITH(parse(with_field(good, 1, offsetof(Elf64_Phdr, p_paddr), ~0ull - 10)),
                      Contains("wraps the address space"));
    CHECK_THROWS_WITH(parse(with_field(good, 0, offsetof(Elf64_Phdr, p_offset), ~0ull)),
                      Contains("notes go past"));
    CHECK_THROWS_WITH(parse(with_field(good, 0, offsetof(Elf64_Phdr, p_filesz), 1ull << 32)),
                      Contains("notes go past"));

    const auto bent = [&](std::size_t at, auto value) {
        Bytes bytes = good;
        store_le(std::span(bytes), at, value);
        return bytes;
    };
    CHECK_THROWS_WITH(parse(bent(offsetof(Elf64_Ehdr, e_phoff), ~0ull)),
                      Contains("program headers lie past its end"));
    CHECK_THROWS_WITH(parse(bent(offsetof(Elf64_Ehdr, e_phnum), std::uint16_t{0xffff})),
                      Contains("65535 program headers"));
    CHECK_THROWS_WITH(parse(bent(offsetof(Elf64_Ehdr, e_phnum), std::uint16_t{0})),
                      Contains("0 program headers"));
    CHECK_THROWS_WITH(parse(bent(offsetof(Elf64_Ehdr, e_phnum), std::uint16_t{1})),
                      Contains("no segment to load"));
    CHECK_THROWS_WITH(parse(bent(offsetof(Elf64_Ehdr, e_phentsize), std::uint16_t{55})),
                      Contains("program headers of 55 bytes"));
    CHECK_THROWS_WITH(parse(bent(offsetof(Elf64_Ehdr, e_type), std::uint16_t{ET_REL})),
                      Contains("no executable"));
    CHECK_THROWS_WITH(parse(bent(offsetof(Elf64_Ehdr, e_machine), std::uint16_t{EM_AARCH64})),
                      Contains("another processor"));
    CHECK_THROWS_WITH(parse(bent(EI_DATA, std::uint8_t{ELFDATA2MSB})), Contains("big-endian"));
    CHECK_THROWS_WITH(parse(bent(EI_CLASS, std::uint8_t{3})), Contains("unknown class"));
}

TEST_CASE("damaged notes are refused", "[loaders]") {
    ElfBuilder builder;
    builder.parts.push_back({0x200000, pattern(64), 0});
    const auto with_notes = [&](auto&& add) {
        ElfBuilder copy = builder;
        add(copy);
        return copy.build();
    };
    CHECK_THROWS_WITH(parse(with_notes([](ElfBuilder& b) { b.add_pvh_note(0x200000, 6); })),
                      Contains("neither 4 nor 8 bytes"));
    CHECK_THROWS_WITH(parse(with_notes([](ElfBuilder& b) { b.add_pvh_note(1ull << 32); })),
                      Contains("above 4 GiB"));
    CHECK_THROWS_WITH(parse(with_notes([](ElfBuilder& b) { b.add_pvh_note(0x1000); })),
                      Contains("lies in no segment"));
    for (const std::uint32_t huge : {0xffffffffu, 0xfffffff4u, 100u}) {
        for (const std::size_t field : {0u, 4u}) {
            CHECK_THROWS_WITH(parse(with_notes([&](ElfBuilder& b) {
                                  b.add_pvh_note(0x200000);
                                  store_le(std::span(b.notes), field, huge);
                              })),
                              Contains("a note goes past"));
        }
    }
    // Trailing bytes too short for another note are padding.
    CHECK(parse(with_notes([](ElfBuilder& b) {
              b.add_pvh_note(0x200000);
              b.notes.resize(b.notes.size() + 8);
          })).pvh_entry == 0x200000u);
}

TEST_CASE("segments are written with their bss zeroed, after all are claimed", "[loaders]") {
    const Guest guest;
    REQUIRE(guest.memory.fill(Gpa(0x200000), 0x2000, std::byte{0xcc}));
    const ImageBytes image = in_memory(small_vmlinux().build());
    const ElfImage elf = parse_elf(image);
    Placement placement(guest.memory, guest.map);
    claim_elf(image, elf, placement);
    load_elf(image, elf, guest.memory, LoadMethod::copy);
    CHECK(guest.read(0x200000, 600) == pattern(600));
    CHECK(guest.read(0x201000, 100) == pattern(100));
    CHECK(guest.read(0x201064, 0x800 - 100) == Bytes(0x800 - 100));
    CHECK(guest.read(0x201800, 1) == Bytes(1, std::byte{0xcc}));

    Placement occupied(guest.memory, guest.map);
    occupied.claim("boot_params", Gpa(0x201100), 16);
    CHECK_THROWS_WITH(claim_elf(image, elf, occupied), Contains("overlaps boot_params"));
    const Guest tiny(2 * MiB);
    Placement nowhere(tiny.memory, tiny.map);
    CHECK_THROWS_WITH(claim_elf(image, elf, nowhere), Contains("does not lie in guest RAM of 2M"));

    ElfBuilder twice = small_vmlinux();
    twice.parts[1].physical = 0x200100;
    const ImageBytes overlapping = in_memory(twice.build());
    Placement again(guest.memory, guest.map);
    CHECK_THROWS_WITH(claim_elf(overlapping, parse_elf(overlapping), again),
                      Contains("overlaps kernel"));
}

TEST_CASE("an ELF file cut anywhere is refused", "[loaders]") {
    for (const Bytes& whole : {small_vmlinux().build(), small_pvh32().build32()}) {
        for (std::size_t size = 1; size < whole.size(); ++size) {
            INFO(size << " of " << whole.size());
            CHECK_THROWS_AS(parse_elf(in_memory(ByteView(whole).first(size))), Error);
        }
    }
}
