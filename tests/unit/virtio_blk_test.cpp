// The block device: framing, limits, errors, order, against real files and a disk turned by hand.
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

std::string range(std::uint64_t sector, std::uint32_t sectors, std::uint32_t flags) {
    const RangeSegment fields{sector, sectors, flags};
    return {reinterpret_cast<const char*>(&fields), sizeof fields};
}

constexpr std::uint64_t all_features =
    feature_flush | feature_discard | feature_write_zeroes | feature_seg_max | feature_blk_size;

struct Machine {
    explicit Machine(std::unique_ptr<DiskImage> image, VirtioBlkOptions options = {"serial-7"})
        : mmio(std::make_unique<VirtioBlk>(std::move(image), options), memory, line, reactor) {}

    explicit Machine(const RawDiskOptions& disk, VirtioBlkOptions options = {"serial-7"})
        : mmio(std::make_unique<VirtioBlk>(std::make_unique<RawDisk>(disk, reactor), options),
               memory, line, reactor) {}

    VirtioDriver::Queue& queue() { return driver.queue(0); }
    void run(int timeout_ms = 0) { reactor.run_until_idle(timeout_ms); }
    void kick() {
        queue().kick();
        run();
    }
    /// The status byte of a chain: its last buffer.
    int status(const Chain& chain) {
        return static_cast<unsigned char>(driver.text(chain.buffers.back(), 1)[0]);
    }
    /// Kicks and waits until one request is done; its used length.
    std::uint32_t finish() {
        queue().kick();
        for (int i = 0; i < 100; ++i) {
            run(100);
            if (const auto used = queue().take_used())
                return used->length;
        }
        throw std::runtime_error("the request never completed");
    }
    bool broken() { return (driver.status() & 0x40) != 0; }

    GuestMemory memory = GuestMemory::on_heap(8 * MiB);
    FakeIrqLine line;
    FakeReactor reactor;
    VirtioMmioDevice mmio;
    VirtioDriver driver{mmio, memory};
};

} // namespace

TEST_CASE("virtio-blk describes its disk", "[virtio]") {
    const TempFile file(MiB);
    Machine m(RawDiskOptions{file.path()}, {"", 4});
    CHECK(m.driver.read(8) == 2);
    CHECK((m.driver.offered() & (feature_ro | feature_mq)) == feature_mq);
    CHECK(m.driver.config<std::uint64_t>(0) == 2048);
    CHECK(m.driver.config<std::uint32_t>(12) == 254);
    CHECK(m.driver.config<std::uint32_t>(20) == 512);
    CHECK(m.driver.config<std::uint16_t>(34) == 4);
    CHECK(m.driver.config<std::uint32_t>(40) == 1);
    m.driver.write(0x30, 3);
    CHECK(m.driver.read(0x34) == 256);
    CHECK_THROWS_AS(VirtioBlk(std::make_unique<ManualDisk>(), {"", 0}), UsageError);
}

TEST_CASE("virtio-blk reads and writes sectors", "[virtio]") {
    const bool synchronous = GENERATE(false, true);
    const TempFile file(MiB);
    file.write(1024, std::string(512, 'r'));
    Machine m(RawDiskOptions{file.path(), false, DiskCacheMode::writeback, synchronous});
    m.driver.start(all_features, {16});

    const Chain read = m.queue().chain().out(header(type_in, 2)).in(512).in(1).add();
    CHECK(m.finish() == 513);
    CHECK(m.status(read) == 0);
    CHECK(m.driver.text(read.buffers[1], 512) == std::string(512, 'r'));

    const std::string data = std::string(512, 'a') + std::string(512, 'b');
    const Chain write = m.queue().chain().out(header(type_out, 4)).out(data).in(1).add();
    CHECK(m.finish() == 1);
    CHECK(m.status(write) == 0);
    CHECK(file.read(2048, 1024) == data);

    const Chain flush = m.queue().chain().out(header(type_flush, 0)).in(1).add();
    CHECK(m.finish() == 1);
    CHECK(m.status(flush) == 0);
    CHECK(m.line.rising_edges == 3);
}

TEST_CASE("virtio-blk takes any framing", "[virtio]") {
    const TempFile file(MiB);
    file.write(0, std::string(512, 'p') + std::string(512, 'q'));
    Machine m(RawDiskOptions{file.path()});
    m.driver.start(all_features | virtio_feature::indirect_desc, {64});

    SECTION("a header byte by byte, odd data, the status in the last data buffer") {
        auto chain = m.queue().chain();
        for (const char byte : header(type_in, 0))
            chain.out(std::string(1, byte));
        const Chain read = chain.in(1).in(510).in(514).indirect().add();
        CHECK(m.finish() == 1025);
        const auto& last = read.buffers;
        CHECK(m.driver.text(last[16], 1) + m.driver.text(last[17], 510) +
                  m.driver.text(last[18], 513) ==
              std::string(512, 'p') + std::string(512, 'q'));
        CHECK(m.driver.text(last[18] + 513, 1) == std::string(1, '\0'));
    }
    SECTION("header and data in one buffer") {
        const Chain write =
            m.queue().chain().out(header(type_out, 7) + std::string(512, 'w')).in(1).add();
        CHECK(m.finish() == 1);
        CHECK(m.status(write) == 0);
        CHECK(file.read(7 * 512, 512) == std::string(512, 'w'));
    }
}

TEST_CASE("virtio-blk answers what it can't do with a status", "[virtio]") {
    const TempFile file(MiB); // 2048 sectors
    Machine m(RawDiskOptions{file.path()});
    m.driver.start(all_features, {16});
    struct Case {
        std::string from_driver;
        std::uint32_t to_driver;
        Status status;
    };
    const std::string sector(512, 's');
    const std::vector<Case> cases = {
        {header(type_in, 2048), 512, Status::io_error},
        {header(type_in, 2047), 1024, Status::io_error},
        {header(type_in, ~0ull), 512, Status::io_error},
        {header(type_in, ~0ull >> 9), 512, Status::io_error},
        {header(type_in, 2047), 512, Status::ok},
        {header(type_in, 0), 511, Status::io_error},
        {header(type_in, 0), 0, Status::ok},
        {header(type_out, 2048) + sector, 0, Status::io_error},
        {header(type_out, 0) + sector + "x", 0, Status::io_error},
        {header(99, 0), 0, Status::unsupported},
        {header(type_in, 0).substr(0, 15), 512, Status::unsupported},
        {header(type_discard, 0) + range(0, 8, 0), 0, Status::ok},
        {header(type_discard, 0) + range(0, 8, 1), 0, Status::unsupported},
        {header(type_discard, 0) + range(2047, 2, 0), 0, Status::io_error},
        {header(type_discard, 0) + range(~0ull, 2, 0), 0, Status::io_error},
        {header(type_discard, 0) + range(0, 8, 0) + range(8, 8, 0), 0, Status::io_error},
        {header(type_discard, 0), 0, Status::io_error},
        {header(type_discard, 0) + range(5, 0, 0), 0, Status::ok},
        {header(type_write_zeroes, 0) + range(0, 8, 1), 0, Status::ok},
        {header(type_write_zeroes, 0) + range(0, 8, 2), 0, Status::unsupported},
        {header(type_write_zeroes, 0) + range(0, 2049, 0), 0, Status::io_error},
    };
    for (std::size_t i = 0; i < cases.size(); ++i) {
        INFO("case " << i);
        auto chain = m.queue().chain().out(cases[i].from_driver);
        if (cases[i].to_driver != 0)
            chain.in(cases[i].to_driver);
        const Chain request = chain.in(1).add();
        const std::uint32_t used = m.finish();
        CHECK(m.status(request) == static_cast<int>(cases[i].status));
        CHECK(used == (cases[i].status == Status::ok ? cases[i].to_driver + 1 : 1));
    }
    CHECK_FALSE(m.broken());
}

TEST_CASE("virtio-blk has an identity", "[virtio]") {
    Machine m(std::make_unique<ManualDisk>());
    m.driver.start(0, {16});
    const Chain whole = m.queue().chain().out(header(type_get_id, 0)).in(20).in(1).add();
    CHECK(m.finish() == 21);
    CHECK(m.driver.text(whole.buffers[1], 20) == "serial-7" + std::string(12, '\0'));
    const Chain cut = m.queue().chain().out(header(type_get_id, 0)).in(6).in(1).add();
    CHECK(m.finish() == 7);
    CHECK(m.driver.text(cut.buffers[1], 6) == "serial");
}

TEST_CASE("virtio-blk breaks on a request without room for a status", "[virtio]") {
    Machine m(std::make_unique<ManualDisk>());
    m.driver.start(0, {16});
    m.queue().chain().out(header(type_out, 0)).out(std::string(512, 'x')).add();
    m.kick();
    CHECK(m.broken());
}

TEST_CASE("a read-only disk stays as it is", "[virtio]") {
    const TempFile file(MiB);
    Machine m(RawDiskOptions{file.path(), true});
    CHECK((m.driver.offered() & (feature_ro | feature_discard | feature_write_zeroes)) ==
          feature_ro);
    m.driver.start(feature_flush, {16});
    const Chain write =
        m.queue().chain().out(header(type_out, 0)).out(std::string(512, 'x')).in(1).add();
    CHECK(m.finish() == 1);
    CHECK(m.status(write) == 1);
    const Chain discard =
        m.queue().chain().out(header(type_discard, 0)).out(range(0, 8, 0)).in(1).add();
    CHECK(m.finish() == 1);
    CHECK(m.status(discard) == 2);
    const Chain flush = m.queue().chain().out(header(type_flush, 0)).in(1).add();
    CHECK(m.finish() == 1);
    CHECK(m.status(flush) == 0);
    CHECK(file.read(0, 512) == std::string(512, '\0'));
}

TEST_CASE("virtio-blk completes in the disk's order, in batches", "[virtio]") {
    auto owned = std::make_unique<ManualDisk>();
    ManualDisk& disk = *owned;
    Machine m(std::move(owned));
    m.driver.start(feature_flush, {64});
    std::vector<Chain> chains;
    for (std::uint64_t sector = 0; sector < 6; ++sector)
        chains.push_back(m.queue().chain().out(header(type_in, sector)).in(512).in(1).add());
    m.kick();
    CHECK(disk.waiting.size() == 4); // as many as the disk takes; two stay in the queue
    CHECK(disk.commits == 1);
    CHECK(m.line.rising_edges == 0);

    disk.complete(3, 0);
    disk.complete(0, EIO);
    disk.client->disk_ready();
    CHECK(m.line.rising_edges == 1);
    CHECK(m.queue().take_used() == UsedBuffer{chains[3].head, 513});
    CHECK(m.queue().take_used() == UsedBuffer{chains[0].head, 1});
    CHECK(m.status(chains[3]) == 0);
    CHECK(m.status(chains[0]) == 1);
    m.run();
    CHECK(disk.waiting.size() == 4); // the two others came without a kick
    CHECK(disk.waiting[3].offset_bytes == 5 * 512);

    SECTION("pausing waits for what is in flight and takes nothing new") {
        m.mmio.pause();
        m.queue().chain().out(header(type_in, 7)).in(512).in(1).add();
        m.kick();
        CHECK(disk.waiting.size() == 4);
        CHECK_FALSE(m.mmio.drained());
        while (!disk.waiting.empty())
            disk.complete(0, 0);
        disk.client->disk_ready();
        CHECK(m.mmio.drained());
        CHECK(m.queue().used_index() == 6);
        StateWriter writer;
        m.mmio.save(writer);
        m.mmio.resume();
        m.run();
        CHECK(disk.waiting.size() == 1);
    }
    SECTION("a reset by the driver waits for the disk and leaves nothing behind") {
        m.driver.reset();
        CHECK(disk.in_flight() == 0);
        m.run();
        m.driver.start(0, {64});
        m.queue().chain().out(header(type_in, 1)).in(512).in(1).add();
        m.kick();
        CHECK(disk.waiting.size() == 1);
    }
    SECTION("halt waits as well") {
        m.mmio.halt();
        CHECK(disk.in_flight() == 0);
    }
}

TEST_CASE("a driver without FLUSH gets durable writes", "[virtio]") {
    auto owned = std::make_unique<ManualDisk>();
    ManualDisk& disk = *owned;
    Machine m(std::move(owned));
    const bool flush = GENERATE(false, true);
    m.driver.start(flush ? feature_flush : 0, {16});
    m.queue().chain().out(header(type_out, 0)).out(std::string(512, 'x')).in(1).add();
    m.queue().chain().out(header(type_in, 0)).in(512).in(1).add();
    const Chain last = m.queue().chain().out(header(type_flush, 0)).in(1).add();
    m.kick();
    REQUIRE(disk.waiting.size() == (flush ? 3 : 2));
    CHECK(disk.waiting[0].durable == !flush);
    CHECK_FALSE(disk.waiting[1].durable);
    if (flush)
        CHECK(disk.waiting[2].operation == DiskOperation::flush);
    else
        CHECK(m.status(last) == 2);
}

TEST_CASE("virtio-blk survives a save and refuses another disk", "[virtio]") {
    Machine m(std::make_unique<ManualDisk>());
    m.driver.start(0, {16});
    StateWriter writer;
    m.mmio.save(writer);
    const TempFile file(MiB);
    Machine other(RawDiskOptions{file.path()});
    StateReader reader(writer.bytes());
    CHECK_THROWS_AS(other.mmio.restore(reader), Error);
}

TEST_CASE("every queue of a disk works", "[virtio]") {
    const TempFile file(MiB);
    Machine m(RawDiskOptions{file.path()}, {"", 3});
    m.driver.start(feature_mq | virtio_feature::event_idx, {16, 16, 16});
    std::vector<Chain> chains;
    for (unsigned i = 0; i < 3; ++i) {
        const std::string data(512, static_cast<char>('a' + i));
        chains.push_back(m.driver.queue(i).chain().out(header(type_out, i)).out(data).in(1).add());
        m.driver.queue(i).kick();
    }
    for (int tries = 0; tries < 50 && m.driver.queue(2).used_index() == 0; ++tries)
        m.run(100);
    m.run(20);
    for (unsigned i = 0; i < 3; ++i) {
        CHECK(m.driver.queue(i).take_used() == UsedBuffer{chains[i].head, 1});
        CHECK(m.status(chains[i]) == 0);
    }
    CHECK(file.read(512, 1) == "b");
}
