#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/guest_memory.h"
#include "vmm/base/state_io.h"
#include "vmm/base/text.h"

#include <catch2/catch.hpp>

using namespace coldstart;

TEST_CASE("sizes are read with binary units and refused when they are not sizes", "[base]") {
    CHECK(parse_byte_size("256M") == 256 * MiB);
    CHECK(parse_byte_size("1g") == GiB);
    CHECK(parse_byte_size("64KiB") == 64 * KiB);
    CHECK(parse_byte_size("4096") == 4096u);
    CHECK(parse_byte_size("7B") == 7u);
    for (const char* bad : {"", "M", "-1M", "1.5G", "1X", "1MM", " 1M", "1M ", "0x10",
                            "17592186044416M", "18446744073709551616"})
        CHECK_FALSE(parse_byte_size(bad));
    CHECK(format_byte_size(256 * MiB) == "256M");
    CHECK(format_byte_size(1025 * MiB) == "1025M");
    CHECK(format_byte_size(4097) == "4097");
}

TEST_CASE("numbers are whole or nothing", "[base]") {
    CHECK(parse_number("0x3f8") == 0x3f8u);
    CHECK(parse_number("10") == 10u);
    CHECK_FALSE(parse_number("10 "));
    CHECK_FALSE(parse_decimal("0x10"));
    CHECK(hex(0x3f8, 4) == "0x03f8");
    CHECK(printable("a\nb") == "a\\x0ab");
}

TEST_CASE("guest memory refuses what leaves RAM", "[base]") {
    const GuestMemory memory = GuestMemory::on_heap(64 * KiB);
    CHECK(memory.contains(Gpa(0), 64 * KiB));
    CHECK_FALSE(memory.contains(Gpa(0), 64 * KiB + 1));
    CHECK_FALSE(memory.contains(Gpa(64 * KiB), 1));
    CHECK_FALSE(memory.contains(Gpa(1), ~0ull));
    CHECK_FALSE(memory.contains(Gpa(~0ull), 2));
    CHECK(memory.store(Gpa(0xfffc), std::uint32_t{42}));
    CHECK(memory.load<std::uint32_t>(Gpa(0xfffc)) == 42u);
    CHECK_FALSE(memory.store(Gpa(0xfffd), std::uint32_t{1}));
    CHECK_FALSE(memory.load<std::uint64_t>(Gpa(0xffff)));
}

TEST_CASE("what is withheld of guest memory is reached by nobody until it is given back",
          "[base]") {
    const GuestMemory memory = GuestMemory::on_heap(0x10000);
    memory.withhold(0, Gpa(0x2000), 0x1000);
    memory.withhold(1, Gpa(0xf000), 0x1000);
    CHECK(memory.contains(Gpa(0x1000), 0x1000));
    CHECK_FALSE(memory.contains(Gpa(0x1000), 0x1001));
    CHECK_FALSE(memory.contains(Gpa(0x2fff), 1));
    CHECK(memory.contains(Gpa(0x3000), 0xc000));
    CHECK_FALSE(memory.contains(Gpa(0), 0x10000)); // all around it
    CHECK_FALSE(memory.store(Gpa(0xfffc), std::uint32_t{42}));
    CHECK_FALSE(memory.fill(Gpa(0x2000), 0x1000, std::byte{1}));
    CHECK(memory.release(Gpa(0x2000), 0x1000) == 0);
    CHECK(memory.release(Gpa(0x4000), 0x1000) == 0x1000);
    memory.withhold(0, Gpa(0x2000), 0);
    CHECK(memory.contains(Gpa(0), 0xf000));
    memory.withhold(1, Gpa(0), 0);
    CHECK(memory.contains(Gpa(0), 0x10000));
}

TEST_CASE("guest memory regions must not overlap or wrap", "[base]") {
    auto region = [](std::uint64_t base, std::uint64_t size) {
        return MemoryRegion{Gpa(base), size, nullptr};
    };
    CHECK_THROWS_AS(GuestMemory({region(0, 0x2000), region(0x1000, 0x1000)}), Error);
    CHECK_THROWS_AS(GuestMemory({region(0, 0)}), Error);
    CHECK_THROWS_AS(GuestMemory({region(~0ull - 1, 0x1000)}), Error);
    CHECK_NOTHROW(GuestMemory({region(0x1000, 0x1000), region(0, 0x1000)}));
}

TEST_CASE("saved state reads back what was written and refuses damage", "[base]") {
    StateWriter writer;
    writer.begin("thing", 2);
    writer.fields(std::uint8_t{7}, true, std::uint64_t{1} << 40);
    writer.put_bytes(ByteView{});

    StateReader reader(writer.bytes());
    CHECK(reader.begin("thing", 3) == 2);
    std::uint8_t a = 0;
    bool b = false;
    std::uint64_t c = 0;
    reader.fields(a, b, c);
    CHECK(a == 7);
    CHECK(b);
    CHECK(c == std::uint64_t{1} << 40);
    CHECK(reader.get_bytes().empty());
    CHECK(reader.at_end());

    CHECK_THROWS_AS(StateReader(writer.bytes()).begin("other", 2), Error);
    CHECK_THROWS_AS(StateReader(writer.bytes()).begin("thing", 1), Error);
    for (std::size_t size = 0; size < writer.bytes().size(); ++size) {
        StateReader cut(ByteView(writer.bytes()).first(size));
        CHECK_THROWS_AS((cut.begin("thing", 2), cut.fields(a, b, c), cut.get_bytes()), Error);
    }
}
