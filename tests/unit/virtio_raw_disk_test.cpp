// The raw image against real files, with both engines.
#include "tests/fakes/fakes.h"
#include "tests/fakes/virtio_temp_file.h"
#include "virtio/backend/raw_disk.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <random>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

using namespace coldstart;
using namespace coldstart::fakes;
using Catch::Contains;

namespace {

struct Client final : DiskClient {
    explicit Client(RawDisk& watched) : disk(watched) { disk.set_client(*this); }
    void disk_ready() noexcept override { disk.reap(); }
    void disk_completed(std::uint32_t tag, int error) noexcept override {
        errors[tag] = error;
        order.push_back(tag);
    }
    /// Submits one request and waits for it; its errno value.
    int run(DiskRequest request) {
        request.tag = 5;
        disk.submit(request);
        disk.drain();
        return errors.at(5);
    }
    int write(std::uint64_t offset, std::string_view text, bool durable = false) {
        const iovec segment{const_cast<char*>(text.data()), text.size()};
        DiskRequest request;
        request.operation = DiskOperation::write;
        request.offset_bytes = offset;
        request.segments = {&segment, 1};
        request.durable = durable;
        return run(request);
    }
    int read(std::uint64_t offset, std::span<char> into) {
        const iovec segment{into.data(), into.size()};
        DiskRequest request;
        request.offset_bytes = offset;
        request.segments = {&segment, 1};
        return run(request);
    }
    int range(DiskOperation operation, std::uint64_t offset, std::uint64_t size,
              bool unmap = false) {
        DiskRequest request;
        request.operation = operation;
        request.offset_bytes = offset;
        request.size_bytes = size;
        request.unmap = unmap;
        return run(request);
    }

    RawDisk& disk;
    std::map<std::uint32_t, int> errors;
    std::vector<std::uint32_t> order;
};

std::string noise(std::size_t size, unsigned seed) {
    std::mt19937 random(seed);
    std::string text(size, '\0');
    std::generate(text.begin(), text.end(), [&] { return static_cast<char>(random()); });
    return text;
}

bool lacks_direct_io(const TempFile& file, DiskCacheMode cache) {
    if (cache != DiskCacheMode::none || file.takes_direct_io())
        return false;
    WARN("skipped: the file system of temporary files has no O_DIRECT; set TMPDIR to another");
    return true;
}

std::string error_of(const RawDiskOptions& options) {
    FakeReactor reactor;
    try {
        const RawDisk disk(options, reactor);
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

} // namespace

TEST_CASE("a raw disk reads and writes what its file holds", "[virtio]") {
    const bool synchronous = GENERATE(false, true);
    const auto cache =
        GENERATE(DiskCacheMode::writeback, DiskCacheMode::none, DiskCacheMode::unsafe);
    const TempFile file(4 * MiB);
    if (lacks_direct_io(file, cache))
        return;
    FakeReactor reactor;
    RawDisk disk({file.path(), false, cache, synchronous}, reactor);
    Client client(disk);
    CHECK(disk.size_bytes() == 4 * MiB);
    CHECK((disk.engine_name() == "synchronous" || !synchronous));

    // At an odd address: with O_DIRECT it goes through bounce buffers, in several pieces.
    const std::string data = "x" + noise(MiB + 64 * KiB, 1);
    CHECK(client.write(64 * KiB, std::string_view(data).substr(1)) == 0);
    CHECK(client.range(DiskOperation::flush, 0, 0) == 0);
    CHECK(file.read(64 * KiB, data.size() - 1) == data.substr(1));

    std::string back(data.size() + 2, '!');
    CHECK(client.read(64 * KiB, std::span(back).subspan(2, data.size() - 1)) == 0);
    CHECK(back.substr(2, data.size() - 1) == data.substr(1));
    CHECK(back.substr(0, 2) + back.back() == "!!!");
    CHECK(client.write(0, std::string(4096, 'd'), true) == 0);
    CHECK(file.read(0, 4096) == std::string(4096, 'd'));
    CHECK(disk.in_flight() == 0);
}

TEST_CASE("many requests are in flight at once", "[virtio]") {
    const bool synchronous = GENERATE(false, true);
    const auto cache = GENERATE(DiskCacheMode::writeback, DiskCacheMode::none);
    const TempFile file(8 * MiB);
    if (lacks_direct_io(file, cache))
        return;
    const std::string content = noise(8 * MiB, 2);
    file.write(0, content);
    FakeReactor reactor;
    RawDisk disk({file.path(), false, cache, synchronous}, reactor);
    Client client(disk);
    const std::uint32_t count = disk.max_in_flight();

    // Odd buffers, in an order that is not the file's, each of two segments.
    constexpr std::size_t size = 32 * KiB;
    std::vector<std::string> buffers(count, std::string(size + 1, '?'));
    for (std::uint32_t tag = 0; tag < count; ++tag) {
        char* const buffer = buffers[tag].data() + tag % 2;
        const std::array<iovec, 2> segments{{{buffer, 8192}, {buffer + 8192, size - 8192}}};
        DiskRequest request;
        request.tag = tag;
        request.offset_bytes = (tag * 37 % count) * size;
        request.segments = segments;
        disk.submit(request);
    }
    CHECK(disk.in_flight() == count);
    disk.commit();
    disk.reap();
    while (disk.in_flight() != 0)
        REQUIRE(reactor.run_until_idle(5000) != 0);
    CHECK(client.order.size() == count);
    unsigned wrong = 0;
    for (std::uint32_t tag = 0; tag < count; ++tag) {
        const std::size_t offset = (tag * 37 % count) * size;
        wrong += client.errors.at(tag) != 0 ||
                 std::memcmp(buffers[tag].data() + tag % 2, content.data() + offset, size) != 0;
    }
    CHECK(wrong == 0);
}

TEST_CASE("a raw disk discards and writes zeroes", "[virtio]") {
    const bool synchronous = GENERATE(false, true);
    const bool unmap = GENERATE(false, true);
    const TempFile file(2 * MiB);
    const std::string content = noise(2 * MiB, 3);
    file.write(0, content);
    FakeReactor reactor;
    RawDisk disk({file.path(), false, DiskCacheMode::writeback, synchronous}, reactor);
    Client client(disk);

    CHECK(client.range(DiskOperation::write_zeroes, 512, 700 * KiB, unmap) == 0);
    CHECK(file.read(0, 512) == content.substr(0, 512));
    CHECK(file.read(512, 700 * KiB) == std::string(700 * KiB, '\0'));
    CHECK(file.read(512 + 700 * KiB, 4096) == content.substr(512 + 700 * KiB, 4096));
    CHECK(client.range(DiskOperation::discard, MiB, MiB) == 0);
    struct stat status {};
    REQUIRE(::fstat(file.fd(), &status) == 0);
    CHECK(status.st_size == 2 * MiB); // never shorter
}

TEST_CASE("zeroes are written where the file system knows no other way", "[virtio]") {
    // A memfd lives in tmpfs, which punches holes but knows no FALLOC_FL_ZERO_RANGE.
    const UniqueFd memory_file(::memfd_create("zeroes", MFD_CLOEXEC));
    REQUIRE(::ftruncate(memory_file.get(), 40 * MiB) == 0);
    const std::string ones(4096, '\1');
    REQUIRE(::pwrite(memory_file.get(), ones.data(), ones.size(), 39 * MiB) == 4096);
    REQUIRE(::pwrite(memory_file.get(), ones.data(), ones.size(), 0) == 4096);
    FakeReactor reactor;
    const std::string path = "/proc/self/fd/" + std::to_string(memory_file.get());
    RawDisk disk({path, false, DiskCacheMode::writeback, false}, reactor);
    Client client(disk);
    CHECK(client.range(DiskOperation::write_zeroes, 512, 40 * MiB - 1024) == 0);
    char byte = '?';
    REQUIRE(::pread(memory_file.get(), &byte, 1, 511) == 1);
    CHECK(byte == '\1');
    REQUIRE(::pread(memory_file.get(), &byte, 1, 512) == 1);
    CHECK(byte == '\0');
    REQUIRE(::pread(memory_file.get(), &byte, 1, 39 * MiB + 100) == 1);
    CHECK(byte == '\0');
}

TEST_CASE("what the host refuses is reported", "[virtio]") {
    const bool synchronous = GENERATE(false, true);
    FakeReactor reactor;
    SECTION("a file sealed against writes") {
        const UniqueFd sealed(::memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
        REQUIRE(::ftruncate(sealed.get(), MiB) == 0);
        REQUIRE(::fcntl(sealed.get(), F_ADD_SEALS, F_SEAL_WRITE) == 0);
        const std::string path = "/proc/self/fd/" + std::to_string(sealed.get());
        RawDisk disk({path, false, DiskCacheMode::writeback, synchronous}, reactor);
        Client client(disk);
        CHECK(client.write(0, std::string(512, 'x')) == EPERM);
        CHECK(client.range(DiskOperation::write_zeroes, 0, 4096) != 0);
        std::array<char, 512> buffer{};
        CHECK(client.read(0, buffer) == 0);
    }
    SECTION("a file cut while in use") {
        const TempFile file(MiB);
        file.write(0, noise(4096, 4));
        RawDisk disk({file.path(), false, DiskCacheMode::writeback, synchronous}, reactor);
        Client client(disk);
        REQUIRE(::ftruncate(file.fd(), 6000) == 0);
        std::vector<char> buffer(8192, '?');
        CHECK(client.read(0, std::span(buffer).first(4096)) == 0);
        CHECK(client.read(0, buffer) == EIO); // short at first, then at the end
        CHECK(client.read(8192, buffer) == EIO);
        CHECK(client.write(512 * KiB, std::string(512, 'x')) == 0);
    }
    SECTION("a request O_DIRECT can't do") {
        const TempFile file(MiB);
        if (lacks_direct_io(file, DiskCacheMode::none))
            return;
        RawDisk disk({file.path(), false, DiskCacheMode::none, synchronous}, reactor);
        Client client(disk);
        std::array<char, 512> buffer{};
        CHECK(client.read(100, std::span(buffer).first(100)) == EINVAL);
        CHECK(client.read(0, buffer) == (disk.geometry().block_bytes == 512 ? 0 : EINVAL));
    }
}

TEST_CASE("an image that can't serve is refused with its remedy", "[virtio]") {
    CHECK_THAT(error_of({"/nonexistent/disk.img"}), Contains("truncate -s 1G"));
    CHECK_THAT(error_of({"/tmp"}), Contains("is a directory"));
    CHECK_THAT(error_of({"/dev/null"}), Contains("neither a regular file nor a block device"));
    const TempFile odd(1000);
    CHECK_THAT(error_of({odd.path()}), Contains("truncate -s %512 " + odd.path()));
    const TempFile empty(0);
    CHECK(error_of({empty.path()}).empty());
}

TEST_CASE("two machines don't share a disk they write to", "[virtio]") {
    const TempFile file(MiB);
    FakeReactor reactor;
    const RawDiskOptions writable{file.path()};
    const RawDiskOptions reading{file.path(), true};
    {
        const RawDisk first(writable, reactor);
        CHECK_THAT(error_of(writable), Contains("in use by another machine"));
        CHECK_THAT(error_of(reading), Contains("in use by another machine that writes"));
    }
    const RawDisk first(reading, reactor);
    CHECK(error_of(reading).empty());
    CHECK_THAT(error_of(writable), Contains("readonly=on"));
}
