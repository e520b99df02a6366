// A block device whose image is replaced while its driver works.
#include "tests/fakes/fakes.h"
#include "tests/fakes/manual_disk.h"
#include "tests/fakes/virtio_driver.h"
#include "tests/fakes/virtio_temp_file.h"
#include "virtio/backend/raw_disk.h"
#include "virtio/blk/virtio_blk.h"
#include "virtio/transport/mmio/virtio_mmio_device.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"

#include <catch2/catch.hpp>
#include <cerrno>

using namespace coldstart;
using namespace coldstart::fakes;
using namespace coldstart::virtio_blk;

namespace {

std::string header(std::uint32_t type, std::uint64_t sector) {
    const RequestHeader fields{type, 0, sector};
    return {reinterpret_cast<const char*>(&fields), sizeof fields};
}

struct Bench {
    explicit Bench(std::unique_ptr<DiskImage> image)
        : blk(new VirtioBlk(std::move(image), {"serial-7"})),
          mmio(std::unique_ptr<VirtioDevice>(blk), memory, line, reactor) {}
    explicit Bench(const RawDiskOptions& disk)
        : blk(new VirtioBlk(std::make_unique<RawDisk>(disk, reactor), {"serial-7"})),
          mmio(std::unique_ptr<VirtioDevice>(blk), memory, line, reactor) {}

    void run(int timeout_ms = 0) { reactor.run_until_idle(timeout_ms); }
    Chain read(std::uint64_t sector, std::uint32_t bytes = 512) {
        return driver.queue(0).chain().out(header(type_in, sector)).in(bytes).in(1).add();
    }
    Chain write(std::uint64_t sector, char fill) {
        return driver.queue(0)
            .chain()
            .out(header(type_out, sector))
            .out(std::string(512, fill))
            .in(1)
            .add();
    }
    void kick() {
        driver.queue(0).kick();
        run();
    }
    int status(const Chain& chain) {
        return static_cast<unsigned char>(driver.text(chain.buffers.back(), 1)[0]);
    }
    int finish(const Chain& chain) {
        driver.queue(0).kick();
        for (int i = 0; i < 100; ++i) {
            run(100);
            if (driver.queue(0).take_used())
                return status(chain);
        }
        throw std::runtime_error("the request never completed");
    }
    std::uint64_t capacity() { return driver.config<std::uint64_t>(0); }
    /// Bit 1 of the interrupt status; acknowledges it.
    bool config_interrupt() {
        const std::uint32_t pending = driver.read(0x60);
        driver.write(0x64, pending);
        return (pending & 2) != 0;
    }
    std::unique_ptr<RawDisk> open(const RawDiskOptions& options) {
        RawDiskOptions again = options;
        again.replaces = dynamic_cast<const RawDisk*>(&blk->image());
        return std::make_unique<RawDisk>(again, reactor);
    }

    GuestMemory memory = GuestMemory::on_heap(8 * MiB);
    FakeIrqLine line;
    FakeReactor reactor;
    VirtioBlk* blk;
    VirtioMmioDevice mmio;
    VirtioDriver driver{mmio, memory};
};

} // namespace

TEST_CASE("a disk's image is replaced while requests are in flight", "[virtio]") {
    auto first = std::make_unique<ManualDisk>(64 * KiB, 4);
    ManualDisk& old_disk = *first;
    Bench b(std::move(first));
    b.driver.start(feature_flush, {64});
    std::vector<Chain> chains;
    for (std::uint64_t sector = 0; sector < 7; ++sector)
        chains.push_back(b.read(sector));
    b.kick();
    REQUIRE(old_disk.waiting.size() == 4);
    CHECK_FALSE(b.config_interrupt());
    const std::uint32_t generation = b.driver.read(0xfc);

    auto second = std::make_unique<ManualDisk>(MiB, 2);
    ManualDisk& new_disk = *second;
    b.blk->replace_image(std::move(second));
    CHECK(&b.blk->image() == &new_disk);
    CHECK(b.driver.queue(0).used_index() == 4); // the old one's
    for (unsigned i = 0; i < 4; ++i)
        CHECK(b.status(chains[i]) == 0);
    CHECK(b.capacity() == 2048);
    CHECK(b.driver.read(0xfc) != generation);
    CHECK(b.config_interrupt());

    b.run(); // what waited for room in the old one comes without a kick
    REQUIRE(new_disk.waiting.size() == 2);
    CHECK(new_disk.waiting[0].offset_bytes == 4 * 512);
    CHECK(new_disk.waiting[0].tag < 2);
    new_disk.complete(0, 0);
    new_disk.complete(0, EIO);
    new_disk.client->disk_ready();
    b.run();
    CHECK(new_disk.waiting.size() == 1);
    CHECK(b.status(chains[4]) == 0);
    CHECK(b.status(chains[5]) == 1);
    CHECK(b.driver.queue(0).used_index() == 6);
}

TEST_CASE("a smaller image refuses what the larger one held", "[virtio]") {
    Bench b(std::make_unique<ManualDisk>(MiB));
    b.driver.start(0, {64});
    b.blk->replace_image(std::make_unique<ManualDisk>(4 * KiB));
    CHECK(b.capacity() == 8);
    CHECK(b.finish(b.read(8)) == 1);
    CHECK(b.driver.status() == 15);
}

TEST_CASE("an image is replaced before there is a driver, and while the machine pauses",
          "[virtio]") {
    Bench b(std::make_unique<ManualDisk>(MiB));
    b.blk->replace_image(std::make_unique<ManualDisk>(4 * KiB));
    CHECK(b.capacity() == 8);
    b.driver.start(0, {64});
    CHECK_FALSE(b.config_interrupt());

    b.mmio.pause();
    b.read(0);
    b.kick();
    auto owned = std::make_unique<ManualDisk>(8 * KiB);
    ManualDisk& disk = *owned;
    b.blk->replace_image(std::move(owned));
    b.run();
    CHECK(b.mmio.drained());
    CHECK(disk.waiting.empty());
    CHECK(b.capacity() == 16);
    b.mmio.resume();
    b.run();
    CHECK(disk.waiting.size() == 1);
    StateWriter writer;
    b.mmio.save(writer);
    b.driver.reset();
    CHECK(b.capacity() == 16);
}

TEST_CASE("what a disk offered stays when its image changes", "[virtio]") {
    SECTION("a read-only device writes to no image") {
        Bench b(std::make_unique<ManualDisk>(64 * KiB, 4, true));
        const std::uint64_t offered = b.driver.offered();
        b.driver.start(0, {64});
        auto owned = std::make_unique<ManualDisk>(64 * KiB, 4, false);
        ManualDisk& disk = *owned;
        b.blk->replace_image(std::move(owned));
        CHECK(b.finish(b.write(0, 'w')) == 1);
        CHECK(disk.waiting.empty());
        CHECK(b.blk->features() == (offered & ~virtio_feature::version_1));
        CHECK(b.driver.config<std::uint32_t>(36) == 0); // discards
    }
    SECTION("a read-only image fails the writes of a device that offered them") {
        Bench b(std::make_unique<ManualDisk>(64 * KiB, 4, false));
        b.driver.start(0, {64});
        b.blk->replace_image(std::make_unique<ManualDisk>(64 * KiB, 4, true));
        CHECK((b.blk->features() & feature_ro) == 0);
        CHECK(b.driver.config<std::uint32_t>(36) != 0);
        CHECK(b.finish(b.write(0, 'w')) == 1);
        const std::string range("\0\0\0\0\0\0\0\0\x8\0\0\0\0\0\0\0", 16);
        for (const std::uint32_t type : {type_discard, type_write_zeroes}) {
            b.driver.reset();
            b.driver.start(feature_discard | feature_write_zeroes, {64});
            CHECK(b.finish(b.driver.queue(0).chain().out(header(type, 0)).out(range).in(1).add()) ==
                  1);
        }
    }
}

TEST_CASE("a drive of no bytes waits for its disk", "[virtio]") {
    const bool direct = GENERATE(false, true);
    const TempFile nothing(0), file(MiB);
    const DiskCacheMode cache =
        direct && file.takes_direct_io() ? DiskCacheMode::none : DiskCacheMode::writeback;
    file.write(512, std::string(512, 'f'));
    Bench b(RawDiskOptions{nothing.path(), false, cache});
    b.driver.start(feature_flush, {64});
    CHECK(b.capacity() == 0);
    CHECK(b.finish(b.read(0)) == 1);
    CHECK(b.finish(b.write(0, 'x')) == 1);
    CHECK(b.finish(b.driver.queue(0).chain().out(header(type_flush, 0)).in(1).add()) == 0);
    CHECK(b.driver.status() == 15);

    b.blk->replace_image(b.open({file.path(), false, cache}));
    CHECK(b.capacity() == 2048);
    const Chain read = b.read(1);
    CHECK(b.finish(read) == 0);
    CHECK(b.driver.text(read.buffers[1], 512) == std::string(512, 'f'));
    CHECK(b.finish(b.write(3, 'w')) == 0);
    CHECK(file.read(3 * 512, 1) == "w");

    b.blk->replace_image(b.open({nothing.path(), false, cache}));
    CHECK(b.capacity() == 0);
    CHECK(b.finish(b.read(1)) == 1);
}

TEST_CASE("an image that grew is opened anew under the lock of the old one", "[virtio]") {
    const bool read_only = GENERATE(false, true);
    const TempFile file(4 * KiB);
    const RawDiskOptions options{file.path(), read_only};
    Bench b(options);
    b.driver.start(0, {64});
    CHECK(b.capacity() == 8);
    REQUIRE(::ftruncate(file.fd(), MiB) == 0);
    CHECK(b.capacity() == 8);
    b.blk->replace_image(b.open(options));
    CHECK(b.capacity() == 2048);
    CHECK(b.finish(b.read(2047)) == 0);
    // Still locked: by nobody else, and by the new one after the old one is gone.
    FakeReactor elsewhere;
    const RawDiskOptions writable{file.path(), false};
    CHECK_THROWS_AS(RawDisk(writable, elsewhere), Error);
    const TempFile other(MiB);
    b.blk->replace_image(b.open({other.path(), read_only}));
    CHECK_NOTHROW(RawDisk(writable, elsewhere));
    const RawDisk holder(RawDiskOptions{file.path(), false}, elsewhere);
    CHECK_THROWS_AS(b.open({file.path(), read_only}), Error);
    CHECK(b.finish(b.read(0)) == 0);
}
