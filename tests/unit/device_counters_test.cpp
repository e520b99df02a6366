// What the devices count, played by a driver: each number is one that the test made happen.
#include "tests/fakes/fake_net.h"
#include "tests/fakes/fakes.h"
#include "tests/fakes/manual_disk.h"
#include "tests/fakes/virtio_driver.h"
#include "tests/fakes/virtio_temp_file.h"
#include "tests/fakes/vsock_bench.h"
#include "tests/unit/balloon_machine.h"
#include "virtio/backend/raw_disk.h"
#include "virtio/blk/virtio_blk.h"
#include "virtio/net/virtio_net.h"
#include "virtio/rng/virtio_rng.h"
#include "virtio/transport/mmio/virtio_mmio_device.h"
#include "vmm/base/byte_size.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>

using namespace coldstart;
using namespace coldstart::fakes;

namespace {

/// By name; a name that is there twice, or not at all, fails the test.
std::uint64_t count(const VirtioDevice& device, std::string_view wanted) {
    std::optional<std::uint64_t> found;
    for (const auto& [name, value] : device.counters()) {
        if (name != wanted)
            continue;
        REQUIRE_FALSE(found);
        found = value;
    }
    INFO(wanted);
    REQUIRE(found);
    return *found;
}

std::string block_header(std::uint32_t type, std::uint64_t sector) {
    const virtio_blk::RequestHeader fields{type, 0, sector};
    return {reinterpret_cast<const char*>(&fields), sizeof fields};
}

struct Bench {
    explicit Bench(VirtioDevice* device)
        : mmio(std::unique_ptr<VirtioDevice>(device), memory, line, reactor) {}
    void kick(unsigned queue) {
        driver.queue(queue).kick();
        reactor.run_until_idle();
    }

    GuestMemory memory = GuestMemory::on_heap(4 * MiB);
    FakeIrqLine line;
    FakeReactor reactor;
    VirtioMmioDevice mmio;
    VirtioDriver driver{mmio, memory};
};

constexpr RateLimitOptions one_a_second{
    .bytes = {}, .operations = {.size = 1, .refill_time_ms = 1000, .one_time_burst = 0}};

} // namespace

TEST_CASE("virtio-blk counts requests when they are done", "[virtio][counters]") {
    const TempFile file(MiB);
    FakeReactor disk_reactor;
    auto* const disk = new VirtioBlk(
        std::make_unique<RawDisk>(
            RawDiskOptions{file.path(), false, DiskCacheMode::writeback, true}, disk_reactor),
        {"s"});
    Bench b(disk);
    b.driver.start(virtio_blk::feature_flush, {64});
    for (const auto& [name, value] : disk->counters()) {
        INFO(name);
        CHECK(value == 0);
    }
    auto& queue = b.driver.queue(0);
    queue.chain().out(block_header(virtio_blk::type_in, 2)).in(1024).in(1).add();
    queue.chain().out(block_header(virtio_blk::type_in, 0)).in(512).in(1).add();
    queue.chain()
        .out(block_header(virtio_blk::type_out, 4))
        .out(std::string(1536, 'w'))
        .in(1)
        .add();
    queue.chain().out(block_header(virtio_blk::type_flush, 0)).in(1).add();
    queue.chain().out(block_header(virtio_blk::type_get_id, 0)).in(20).in(1).add();
    queue.chain().out(block_header(virtio_blk::type_in, 1u << 30)).in(512).in(1).add();
    queue.chain().out(block_header(99, 0)).in(512).in(1).add();
    b.kick(0);
    unsigned done = 0;
    for (int i = 0; i < 100 && done < 7; ++i) {
        disk_reactor.run_until_idle(100);
        b.reactor.run_until_idle();
        while (queue.take_used())
            ++done;
    }
    REQUIRE(done == 7);
    CHECK(count(*disk, "read_count") == 2);
    CHECK(count(*disk, "read_bytes") == 1536);
    CHECK(count(*disk, "write_count") == 1);
    CHECK(count(*disk, "write_bytes") == 1536);
    CHECK(count(*disk, "flush_count") == 1);
    CHECK(count(*disk, "invalid_reqs_count") == 2);
    CHECK(count(*disk, "execute_fails") == 0);
    CHECK(count(*disk, "queue_event_count") >= 1);
    CHECK(count(*disk, "rate_limiter_throttled_events") == 0);

    const TempFile other(2 * MiB);
    disk->replace_image(std::make_unique<RawDisk>(
        RawDiskOptions{other.path(), false, DiskCacheMode::writeback, true}, disk_reactor));
    CHECK(count(*disk, "update_count") == 1);
    CHECK(count(*disk, "read_count") == 2); // they outlive the image
    b.mmio.halt();
}

TEST_CASE("virtio-rng counts what it gives, and when it is held", "[virtio][counters]") {
    FakeClock clock;
    auto* const rng = new VirtioRng({&clock, one_a_second});
    Bench b(rng);
    b.driver.start(0, {8});
    b.driver.queue(0).chain().in(100).add();
    b.driver.queue(0).chain().in(50).add();
    b.kick(0);
    CHECK(count(*rng, "entropy_event_count") == 1);
    CHECK(count(*rng, "entropy_bytes") == 100);
    CHECK(count(*rng, "entropy_rate_limiter_throttled") == 1);
    CHECK(count(*rng, "rate_limiter_event_count") == 0);
    clock.advance(1'100'000'000);
    b.reactor.run_until_idle();
    CHECK(count(*rng, "entropy_event_count") == 2);
    CHECK(count(*rng, "entropy_bytes") == 150);
    CHECK(count(*rng, "rate_limiter_event_count") == 1);
    CHECK(count(*rng, "host_rng_fails") == 0);
    b.driver.queue(0).chain().out("read only").add();
    b.kick(0);
    clock.advance(1'100'000'000);
    b.reactor.run_until_idle();
    CHECK(count(*rng, "entropy_event_fails") == 1);
    b.mmio.halt();
}

TEST_CASE("virtio-net counts frames of both directions", "[virtio][net][counters]") {
    FakeNet net;
    constexpr MacAddress own{{0x52, 0x54, 0, 1, 2, 3}};
    auto* const card = new VirtioNet(std::make_unique<FakeNetBackend>(net), {.mac = own});
    Bench b(card);
    b.driver.start(0, {8, 8, 8});
    b.reactor.run_until_idle();
    const std::string frame = std::string(12, '\0') + std::string(6, '\xff') + std::string(94, 'x');
    b.driver.queue(1).chain().out(frame).add();
    b.driver.queue(1).chain().out(frame).add();
    b.driver.queue(1).chain().out(frame.substr(0, 20)).add(); // no whole Ethernet header
    b.kick(1);
    CHECK(count(*card, "tx_packets_count") == 2);
    CHECK(count(*card, "tx_count") == 2);
    CHECK(count(*card, "tx_bytes_count") == 2 * frame.size());
    CHECK(count(*card, "tx_malformed_frames") == 1);
    CHECK(count(*card, "rx_packets_count") == 0);

    b.driver.queue(0).chain().in(2000).add();
    b.driver.queue(0).chain().in(50).add(); // too small for the next
    b.kick(0);
    net.arrive(frame);
    b.reactor.run_until_idle();
    CHECK(count(*card, "rx_packets_count") == 1);
    CHECK(count(*card, "rx_bytes_count") == frame.size());
    CHECK(count(*card, "rx_fails") == 0);
    net.arrive(frame);
    b.reactor.run_until_idle();
    CHECK(count(*card, "rx_packets_count") == 1);
    CHECK(count(*card, "rx_fails") == 1);
    CHECK(count(*card, "tx_packets_count") == 2);
    b.mmio.halt();
}

TEST_CASE("virtio-balloon counts what its driver hands over", "[virtio][counters]") {
    BalloonMachine m(every_balloon_feature);
    m.driver.start(balloon_features::stats | balloon_features::reports | balloon_features::hints,
                   {8, 8, 8, 8, 8});
    m.reactor.run_until_idle();
    m.tell_pages(0, {258, 259});
    m.tell_pages(0, {260});
    m.tell_pages(1, {258});
    tell_statistics(m, 2, {statistic(4, 1234)});
    m.hint(4, 0x200000, 0x4000);
    m.hint(4, 0x300000, 100); // no whole page
    CHECK(count(*m.balloon, "inflate_count") == 2);
    CHECK(count(*m.balloon, "deflate_count") == 1);
    CHECK(count(*m.balloon, "stats_updates_count") == 1);
    CHECK(count(*m.balloon, "free_page_report_count") == 2);
    CHECK(count(*m.balloon, "free_page_report_freed") == 0x4000);
    CHECK(count(*m.balloon, "free_page_report_fails") == 1);
    CHECK(count(*m.balloon, "free_page_hint_count") == 0);
    m.balloon->start_hinting();
    m.command(3, 2);
    m.hint(3, 0x240000, 0x2000);
    CHECK(count(*m.balloon, "free_page_hint_count") == 1);
    CHECK(count(*m.balloon, "free_page_hint_freed") == 0x2000);
}

TEST_CASE("virtio-vsock counts connections and their packets", "[vsock][counters]") {
    VsockBench bench;
    {
        auto [program, request] = bench.connect(52);
        CHECK(count(*bench.vsock, "conns_added") == 1);
        CHECK(count(*bench.vsock, "rx_packets_count") == 1); // the request
        CHECK(count(*bench.vsock, "tx_packets_count") == 1); // and its answer
        program.write("hello");
        CHECK(bench.guest.expect(virtio_vsock::op_rw).data == "hello");
        bench.guest.answer(request, virtio_vsock::op_rw, "world!");
        CHECK(program.read() == "world!");
        CHECK(count(*bench.vsock, "rx_bytes_count") == 5);
        CHECK(count(*bench.vsock, "tx_bytes_count") == 6);
        CHECK(count(*bench.vsock, "conns_removed") == 0);
        bench.guest.answer(request, virtio_vsock::op_response); // to no request: it is reset
        bench.guest.expect(virtio_vsock::op_rst);
        CHECK(count(*bench.vsock, "conns_killed") == 1);
        CHECK(count(*bench.vsock, "conns_removed") == 1);
    }
    HostProgram nonsense(bench.path); // a client that never becomes a connection
    nonsense.write("NONSENSE\n");
    bench.reactor.run_until_idle();
    CHECK(count(*bench.vsock, "conns_added") == 1);
    CHECK(count(*bench.vsock, "conns_removed") == 1);
}
