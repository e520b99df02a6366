#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/guest_memory.h"
#include "vmm/runtime/guest_ram.h"

#include <array>
#include <catch2/catch.hpp>
#include <vector>

#include <sys/mman.h>

using namespace coldstart;

namespace {

constexpr std::uint64_t page = page_size_bytes;

bool all_zero(const GuestMemory& memory, Gpa gpa, std::uint64_t size_bytes) {
    for (const std::byte byte : memory.range(gpa, size_bytes)) {
        if (byte != std::byte{0})
            return false;
    }
    return true;
}

std::uint64_t resident_pages(const GuestMemory& memory) {
    std::uint64_t count = 0;
    for (const MemoryRegion& region : memory.regions()) {
        std::vector<unsigned char> there(region.size_bytes / page);
        REQUIRE(::mincore(region.host.get(), region.size_bytes, there.data()) == 0);
        for (const unsigned char flags : there)
            count += flags & 1u;
    }
    return count;
}

} // namespace

TEST_CASE("heap memory that is released reads as zeroes, whole pages only", "[base]") {
    const GuestMemory memory = GuestMemory::on_heap(8 * page);
    memory.fill(Gpa(0), 8 * page, std::byte{1});
    CHECK(memory.release(Gpa(page + 1), 2 * page) == page);
    CHECK(memory.load<std::uint8_t>(Gpa(2 * page - 1)) == 1);
    CHECK(all_zero(memory, Gpa(2 * page), page));
    CHECK(memory.load<std::uint8_t>(Gpa(3 * page)) == 1);

    CHECK(memory.release(Gpa(page + 1), page) == 0);
    CHECK(memory.release(Gpa(5 * page), 0) == 0);
    CHECK(memory.load<std::uint8_t>(Gpa(5 * page)) == 1);
}

TEST_CASE("releasing leaves out what is no RAM, whatever the numbers", "[base]") {
    const auto block = [](std::uint64_t size) {
        return std::shared_ptr<std::byte>(new std::byte[size](),
                                          std::default_delete<std::byte[]>());
    };
    const GuestMemory memory(
        {{Gpa(page), 2 * page, block(2 * page)}, {Gpa(8 * page), page, block(page)}});
    CHECK(memory.release(Gpa(0), page) == 0);
    CHECK(memory.release(Gpa(0), 2 * page) == page);
    CHECK(memory.release(Gpa(2 * page), 20 * page) == 2 * page);
    CHECK(memory.release(Gpa(0), ~0ull) == 3 * page);
    CHECK(memory.release(Gpa(~0ull), ~0ull) == 0);
    CHECK(memory.release(Gpa(~0ull - page), 4 * page) == 0);
}

TEST_CASE("host memory is released where it is the guest's", "[base]") {
    const GuestMemory memory = GuestMemory::on_heap(4 * page);
    memory.fill(Gpa(0), 4 * page, std::byte{1});
    CHECK(memory.release(ByteView(memory.range(Gpa(page), 2 * page))) == 2 * page);
    CHECK(all_zero(memory, Gpa(page), 2 * page));
    CHECK(memory.load<std::uint8_t>(Gpa(3 * page)) == 1);

    alignas(page_size_bytes) static std::array<std::byte, 2 * page_size_bytes> other;
    other.fill(std::byte{7});
    CHECK(memory.release(ByteView(other)) == 0);
    CHECK(other[page] == std::byte{7});
    CHECK(memory.release(ByteView()) == 0);
}

TEST_CASE("mapped guest RAM goes back to the host and comes back empty", "[base]") {
    const std::array ranges{Range{Gpa(0), 4 * MiB}, Range{Gpa(16 * MiB), 2 * MiB}};
    const GuestMemory memory = map_guest_ram(ranges);
    memory.fill(Gpa(0), 4 * MiB, std::byte{1});
    memory.fill(Gpa(16 * MiB), 2 * MiB, std::byte{1});
    const std::uint64_t before = resident_pages(memory);
    CHECK(before == 6 * MiB / page);

    CHECK(memory.release(Gpa(MiB), 2 * MiB) == 2 * MiB);
    CHECK(resident_pages(memory) == before - 2 * MiB / page);
    CHECK(memory.release(Gpa(0), ~0ull) == 6 * MiB);
    CHECK(resident_pages(memory) == 0);
    CHECK(all_zero(memory, Gpa(0), 4 * MiB));
    CHECK(memory.store(Gpa(16 * MiB), 42));
    CHECK(memory.load<int>(Gpa(16 * MiB)) == 42);
}

TEST_CASE("of huge pages only whole ones go back", "[base]") {
    void* const mapped =
        ::mmap(nullptr, 8 * MiB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(mapped != MAP_FAILED);
    const GuestMemory memory(
        {{Gpa(0), 8 * MiB,
          std::shared_ptr<std::byte>(static_cast<std::byte*>(mapped),
                                     [](std::byte* host) { ::munmap(host, 8 * MiB); }),
          PageRelease::discard_2m}});
    memory.fill(Gpa(0), 8 * MiB, std::byte{1});
    CHECK(memory.release(Gpa(0), page) == 0);
    CHECK(memory.release(Gpa(MiB), 2 * MiB) == 0);
    CHECK(memory.load<std::uint8_t>(Gpa(MiB)) == 1);
    CHECK(memory.release(Gpa(MiB), 4 * MiB) == 2 * MiB);
    CHECK(all_zero(memory, Gpa(2 * MiB), 2 * MiB));
    CHECK(memory.load<std::uint8_t>(Gpa(2 * MiB - 1)) == 1);
    CHECK(memory.load<std::uint8_t>(Gpa(4 * MiB)) == 1);
}

TEST_CASE("huge pages are there, or the start is told how many to make", "[base]") {
    const std::array few{Range{Gpa(0), 4 * MiB}};
    try {
        const GuestMemory memory = map_guest_ram(few, HugePages::hugetlbfs_2m);
        memory.fill(Gpa(0), 4 * MiB, std::byte{1});
        CHECK(memory.release(Gpa(2 * MiB), 2 * MiB) == 2 * MiB);
        CHECK(all_zero(memory, Gpa(2 * MiB), 2 * MiB));
    } catch (const Error& error) {
        CHECK_THAT(error.what(), Catch::Contains("sysctl vm.nr_hugepages="));
    }
    const std::array many{Range{Gpa(0), 1ull << 42}}; // more than any host has
    CHECK_THROWS_WITH(map_guest_ram(many, HugePages::hugetlbfs_2m),
                      Catch::Contains("2097152 huge pages of 2 MiB are needed") &&
                          Catch::Contains("sysctl vm.nr_hugepages="));
}
