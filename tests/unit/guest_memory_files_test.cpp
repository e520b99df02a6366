// GuestMemory::map_file(): a file's pages in the place of RAM, and what becomes of them.
#include "tests/unit/loader_images.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/guest_memory.h"
#include "vmm/runtime/guest_ram.h"

#include <array>
#include <catch2/catch.hpp>

#include <fcntl.h>

using namespace coldstart;
using namespace coldstart::images;

namespace {

constexpr std::uint64_t page = page_size_bytes;

GuestMemory mapped_memory(std::uint64_t size_bytes) {
    return map_guest_ram(std::array{Range{Gpa(0), size_bytes}});
}

struct File {
    TempFolder folder;
    Bytes bytes = pattern(6 * page);
    std::string path = folder.write("file", bytes);
    UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
};

Bytes read(const GuestMemory& memory, std::uint64_t at, std::size_t size) {
    Bytes bytes(size);
    REQUIRE(memory.read(Gpa(at), bytes));
    return bytes;
}

Bytes part(const Bytes& bytes, std::uint64_t at, std::uint64_t size) {
    const auto start = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    return {start, start + static_cast<std::ptrdiff_t>(size)};
}

} // namespace

TEST_CASE("a file's pages stand in the place of RAM, and writes stay the guest's own", "[base]") {
    File file;
    const GuestMemory memory = mapped_memory(4 * MiB);
    memory.fill(Gpa(0), 16 * page, std::byte{0x11});
    REQUIRE(memory.map_file(Gpa(2 * page), file.fd.get(), page, 4 * page));
    CHECK(memory.load<std::uint8_t>(Gpa(2 * page - 1)) == 0x11);
    CHECK(read(memory, 2 * page, 4 * page) == part(file.bytes, page, 4 * page));
    CHECK(memory.load<std::uint8_t>(Gpa(6 * page)) == 0x11);
    REQUIRE(memory.file_ranges().size() == 1);
    CHECK(memory.file_ranges()[0].size() == 4 * page);

    memory.fill(Gpa(3 * page), page, std::byte{0x22});
    CHECK(memory.load<std::uint8_t>(Gpa(3 * page)) == 0x22);
    std::array<std::byte, 1> first{};
    REQUIRE(::pread(file.fd.get(), first.data(), 1, 2 * page) == 1);
    CHECK(first[0] == file.bytes[2 * page]);

    SECTION("mapped again, the file's bytes are back") {
        memory.unmap_files();
        REQUIRE(memory.map_file(Gpa(2 * page), file.fd.get(), page, 4 * page));
        CHECK(read(memory, 3 * page, page) == part(file.bytes, 2 * page, page));
    }
    SECTION("taken away, RAM is there again, zeroed") {
        memory.unmap_files();
        CHECK(memory.file_ranges().empty());
        CHECK(read(memory, 2 * page, 4 * page) == Bytes(4 * page));
        CHECK(memory.load<std::uint8_t>(Gpa(2 * page - 1)) == 0x11);
        CHECK(memory.load<std::uint8_t>(Gpa(6 * page)) == 0x11);
    }
}

TEST_CASE("a released page of a file reads as zeroes, not as the file", "[base]") {
    File file;
    const GuestMemory memory = mapped_memory(4 * MiB);
    memory.fill(Gpa(0), 16 * page, std::byte{0x11});
    REQUIRE(memory.map_file(Gpa(2 * page), file.fd.get(), 0, 4 * page));
    memory.fill(Gpa(4 * page), page, std::byte{0x22}); // one written to
    // From a page of RAM into the file's, over a written one, one stays.
    CHECK(memory.release(Gpa(page), 4 * page) == 4 * page);
    CHECK(read(memory, page, 4 * page) == Bytes(4 * page));
    CHECK(read(memory, 5 * page, page) == part(file.bytes, 3 * page, page));
    CHECK(memory.load<std::uint8_t>(Gpa(6 * page)) == 0x11);

    // The guest uses them as any page, and may give them back once more.
    memory.fill(Gpa(3 * page), page, std::byte{0x33});
    CHECK(memory.load<std::uint8_t>(Gpa(3 * page)) == 0x33);
    CHECK(memory.release(memory.range(Gpa(3 * page), page)) == page);
    CHECK(read(memory, 3 * page, page) == Bytes(page));
}

TEST_CASE("what can't be mapped is refused, and nothing has changed", "[base]") {
    File file;
    const GuestMemory memory = mapped_memory(4 * MiB);
    memory.fill(Gpa(0), 16 * page, std::byte{0x11});
    CHECK_FALSE(memory.map_file(Gpa(page + 1), file.fd.get(), 0, page));
    CHECK_FALSE(memory.map_file(Gpa(page), file.fd.get(), 512, page));
    CHECK_FALSE(memory.map_file(Gpa(page), file.fd.get(), 0, page + 1));
    CHECK_FALSE(memory.map_file(Gpa(page), file.fd.get(), 0, 0));
    CHECK_FALSE(memory.map_file(Gpa(4 * MiB - page), file.fd.get(), 0, 2 * page));
    CHECK_FALSE(memory.map_file(Gpa(page), -1, 0, page));
    std::array<int, 2> pipe{};
    REQUIRE(::pipe(pipe.data()) == 0);
    CHECK_FALSE(memory.map_file(Gpa(page), pipe[0], 0, page));
    ::close(pipe[0]);
    ::close(pipe[1]);
    CHECK(memory.file_ranges().empty());
    CHECK(read(memory, 0, 16 * page) == Bytes(16 * page, std::byte{0x11}));

    const GuestMemory heap = GuestMemory::on_heap(4 * page);
    CHECK_FALSE(heap.map_file(Gpa(0), file.fd.get(), 0, page));
}
