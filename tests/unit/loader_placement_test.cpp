#include "firmware-loaders/initrd/initrd.h"
#include "firmware-loaders/placement/guest_copy.h"
#include "firmware-loaders/placement/placement.h"
#include "tests/unit/loader_images.h"

#include <catch2/catch.hpp>

using namespace coldstart;
using namespace coldstart::images;
using Catch::Contains;

TEST_CASE("parts are claimed inside RAM and apart from each other", "[loaders]") {
    const Guest guest;
    Placement placement(guest.memory, guest.map);
    placement.claim("first", Gpa(0x1000), 0x1000);
    placement.claim("behind it", Gpa(0x2000), 0x1000);
    CHECK_THROWS_WITH(placement.claim("third", Gpa(0x1fff), 1),
                      Contains("third") && Contains("overlaps first"));
    CHECK_THROWS_WITH(placement.claim("hole", Gpa(0x9fb00), 0x200),
                      Contains("does not lie in guest RAM of 8M"));
    CHECK_THROWS_WITH(placement.claim("wraps", Gpa(0x3000), ~0ull), Contains("does not lie"));
    CHECK_THROWS_WITH(placement.claim("above", Gpa(8 * MiB - 1), 2), Contains("--memory"));
    CHECK_THROWS_WITH(placement.claim("far", Gpa(~0ull), 1), Contains("does not lie"));
    CHECK(placement.parts().size() == 2);
    CHECK(placement.is_free(Gpa(0x3000), 0x1000));
    CHECK_FALSE(placement.is_free(Gpa(0x2fff), 1));
}

TEST_CASE("a map that promises more than the memory has is not believed", "[loaders]") {
    const Guest guest;
    const MemoryMap map{{Gpa(0), GiB, MemoryKind::ram}};
    Placement placement(guest.memory, map);
    CHECK_THROWS_AS(placement.claim("x", Gpa(8 * MiB), 1), Error);
    CHECK(placement.lowest(16, 16, Gpa(8 * MiB)) == std::nullopt);
}

TEST_CASE("free places are found from above and from below", "[loaders]") {
    const Guest guest;
    Placement placement(guest.memory, guest.map);
    CHECK(placement.highest(0x1001, 0x1000, Gpa(4 * GiB)) == Gpa(8 * MiB - 0x2000));
    CHECK(placement.highest(0x1000, 0x1000, Gpa(0x200800)) == Gpa(0x1ff000));
    CHECK(placement.highest(0x90000, 0x1000, Gpa(0xfffff)) == Gpa(0xf000));
    CHECK(placement.highest(8 * MiB, 0x1000, Gpa(4 * GiB)) == std::nullopt);
    placement.claim("top", Gpa(8 * MiB - 0x1000), 0x1000);
    placement.claim("lower", Gpa(8 * MiB - 0x4000), 0x1800);
    CHECK(placement.highest(0x1000, 0x1000, Gpa(4 * GiB)) == Gpa(8 * MiB - 0x2000));
    CHECK(placement.highest(0x2000, 0x1000, Gpa(4 * GiB)) == Gpa(8 * MiB - 0x6000));

    placement.claim("low", Gpa(MiB), 0x1001);
    CHECK(placement.lowest(0x1000, 0x1000, Gpa(MiB)) == Gpa(MiB + 0x2000));
    CHECK(placement.lowest(0xa0000, 0x1000, Gpa(0)) == Gpa(MiB + 0x2000));
    CHECK(placement.lowest(8 * MiB, 0x1000, Gpa(0)) == std::nullopt);
}

TEST_CASE("bytes reach the guest with zeroes behind them", "[loaders]") {
    const Guest guest;
    REQUIRE(guest.memory.fill(Gpa(0x1000), 0x1000, std::byte{0xcc}));
    const Bytes data = pattern(100);
    load_part(guest.memory, in_memory(data), {Gpa(0x1000), 10, 50, 80}, LoadMethod::copy);
    CHECK(guest.read(0x1000, 50) == Bytes(data.begin() + 10, data.begin() + 60));
    CHECK(guest.read(0x1032, 30) == Bytes(30));
    CHECK(guest.read(0x1050, 1) == Bytes(1, std::byte{0xcc}));
    CHECK_THROWS_AS(
        load_part(guest.memory, in_memory(data), {Gpa(8 * MiB - 10), 0, 20, 20}, LoadMethod::copy),
        Error);
    CHECK_THROWS_AS(
        load_part(guest.memory, in_memory(data), {Gpa(0), 90, 20, 20}, LoadMethod::copy), Error);
}

TEST_CASE("an initrd goes as high as allowed, page-aligned", "[loaders]") {
    const Guest guest;
    const ImageBytes image = in_memory(pattern(5000), "initrd i");
    {
        Placement placement(guest.memory, guest.map);
        const InitrdRange range = claim_initrd(image, placement, default_initrd_address_max);
        CHECK(range.base == Gpa(8 * MiB - 0x2000));
        CHECK(range.size_bytes == 5000);
        CHECK(placement.parts().at(0).name == "initrd");
    }
    {
        Placement placement(guest.memory, guest.map);
        placement.claim("kernel", Gpa(6 * MiB), 2 * MiB);
        CHECK(claim_initrd(image, placement, 0x7fffffff).base == Gpa(6 * MiB - 0x2000));
    }
    {
        Placement placement(guest.memory, guest.map);
        CHECK(claim_initrd(image, placement, 0x3fffff).base == Gpa(0x3fe000));
    }
}

TEST_CASE("an initrd without room is refused with the sizes and the remedy", "[loaders]") {
    const Guest guest;
    Placement placement(guest.memory, guest.map);
    const ImageBytes image = in_memory(Bytes(9 * MiB), "initrd big");
    CHECK_THROWS_WITH(claim_initrd(image, placement, 0x7fffffff),
                      Contains("initrd big") && Contains("9437184") && Contains("8M") &&
                          Contains("--memory"));
    CHECK_THROWS_WITH(claim_initrd(image, placement, 0xfff), Contains("use a smaller initrd"));
}
