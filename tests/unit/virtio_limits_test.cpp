// Rate limits of the virtio devices, on a clock turned by hand.
#include "tests/fakes/fake_net.h"
#include "tests/fakes/fakes.h"
#include "tests/fakes/manual_disk.h"
#include "tests/fakes/virtio_driver.h"
#include "virtio/blk/virtio_blk.h"
#include "virtio/net/virtio_net.h"
#include "virtio/rng/virtio_rng.h"
#include "virtio/transport/mmio/virtio_mmio_device.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"

#include <catch2/catch.hpp>
#include <optional>

using namespace coldstart;
using namespace coldstart::fakes;

namespace {

constexpr std::uint64_t ms = 1'000'000;
constexpr std::uint64_t event_idx = virtio_feature::event_idx;

struct Bench {
    void attach(std::unique_ptr<VirtioDevice> device) {
        mmio.emplace(std::move(device), memory, line, reactor);
        driver.emplace(*mmio, memory);
    }
    void run() { reactor.run_until_idle(); }
    void pass(std::uint64_t time_ns) {
        clock.advance(time_ns);
        run();
    }
    VirtioDriver::Queue& queue(unsigned index) { return driver->queue(index); }
    void kick(unsigned index) {
        queue(index).kick();
        run();
    }
    std::vector<std::byte> saved() const {
        StateWriter writer;
        mmio->save(writer);
        return writer.bytes();
    }

    FakeClock clock;
    GuestMemory memory = GuestMemory::on_heap(8 * MiB);
    FakeIrqLine line;
    FakeReactor reactor;
    std::optional<VirtioMmioDevice> mmio;
    std::optional<VirtioDriver> driver;
};

std::string header(std::uint32_t type) {
    const virtio_blk::RequestHeader fields{type, 0, 0};
    return {reinterpret_cast<const char*>(&fields), sizeof fields};
}

struct DiskBench : Bench {
    explicit DiskBench(const RateLimitOptions& limit, std::uint16_t queues = 1,
                       std::uint64_t features = 0) {
        auto image = std::make_unique<ManualDisk>(MiB, 64);
        disk = image.get();
        auto device = std::make_unique<VirtioBlk>(std::move(image),
                                                  VirtioBlkOptions{"", queues, &clock, limit});
        blk = device.get();
        attach(std::move(device));
        start(queues, features);
    }
    void start(std::uint16_t queues, std::uint64_t features) {
        driver->start(virtio_blk::feature_flush | features,
                      std::vector<std::uint16_t>(queues, 128));
    }
    Chain read(std::uint32_t bytes, unsigned index = 0) {
        return queue(index).chain().out(header(virtio_blk::type_in)).in(bytes).in(1).add();
    }
    Chain flush() { return queue(0).chain().out(header(virtio_blk::type_flush)).in(1).add(); }
    void complete_all() {
        while (!disk->waiting.empty())
            disk->complete(0, 0);
        disk->client->disk_ready();
        run();
    }

    ManualDisk* disk = nullptr;
    VirtioBlk* blk = nullptr;
};

struct NetBench : Bench {
    explicit NetBench(const RateLimitOptions& receive, const RateLimitOptions& transmit,
                      std::uint64_t features = 0) {
        VirtioNetOptions options{.mac = {{2, 0, 0, 0, 0, 1}}};
        options.clock = &clock;
        options.receive_limit = receive;
        options.transmit_limit = transmit;
        auto device = std::make_unique<VirtioNet>(std::make_unique<FakeNetBackend>(net), options);
        card = device.get();
        attach(std::move(device));
        driver->start(features, {64, 64, 8});
        run();
    }
    /// 1,000 bytes with their header.
    static std::string frame() { return std::string(12, '\0') + std::string(988, '\xff'); }
    void offer_buffers(unsigned count) {
        for (unsigned i = 0; i < count; ++i)
            queue(VirtioNet::receive_queue).chain().in(2000).add();
        kick(VirtioNet::receive_queue);
    }
    void send(unsigned count) {
        for (unsigned i = 0; i < count; ++i)
            queue(VirtioNet::transmit_queue).chain().out(frame()).add();
    }
    unsigned received() {
        unsigned count = 0;
        while (queue(VirtioNet::receive_queue).take_used())
            ++count;
        return count;
    }

    FakeNet net;
    VirtioNet* card = nullptr;
};

} // namespace

TEST_CASE("a limited disk leaves requests in the queue", "[virtio][limiter]") {
    const std::uint64_t features = GENERATE(std::uint64_t{0}, event_idx);
    DiskBench b({.bytes = {8192, 100}}, 1, features);
    for (unsigned i = 0; i < 4; ++i)
        b.read(4096);
    b.kick(0);
    CHECK(b.disk->waiting.size() == 2);
    CHECK(b.mmio->drained() == false);
    b.complete_all();
    CHECK(b.queue(0).used_index() == 2);
    CHECK(b.mmio->drained()); // what waits for the limit is not in flight

    b.kick(0); // changes nothing
    CHECK(b.disk->waiting.empty());
    b.pass(50 * ms - 1);
    CHECK(b.disk->waiting.empty());
    b.pass(1);
    CHECK(b.disk->waiting.size() == 1);
    b.pass(50 * ms);
    CHECK(b.disk->waiting.size() == 2);
    b.complete_all();
    CHECK(b.queue(0).used_index() == 4);

    // The driver is asked for kicks again.
    b.pass(100 * ms);
    b.read(4096);
    CHECK(b.queue(0).kick_if_wanted(features != 0));
    b.run();
    CHECK(b.disk->waiting.size() == 1);
}

TEST_CASE("every request is an operation, and only data is bytes", "[virtio][limiter]") {
    DiskBench b({.bytes = {4096, 1000}, .operations = {4, 1000}});
    b.flush();
    b.read(4096);
    b.flush();
    b.queue(0).chain().out(header(virtio_blk::type_get_id)).in(20).in(1).add();
    b.flush();
    b.kick(0);
    CHECK(b.disk->waiting.size() == 3); // the identity was answered at once
    CHECK(b.queue(0).used_index() == 1);
    b.pass(250 * ms);
    CHECK(b.disk->waiting.size() == 4);
}

TEST_CASE("a limited disk holds its rate", "[virtio][limiter]") {
    const std::uint32_t bytes = GENERATE(512u, 4096u, 65536u);
    DiskBench b({.bytes = {32768, 100}});
    const Gpa mark = b.driver->heap_mark();
    std::uint64_t done = 0;
    for (unsigned tenth_ms = 0; tenth_ms < 100'000; ++tenth_ms) {
        if (b.queue(0).avail_index() == b.queue(0).used_index()) {
            while (b.queue(0).take_used()) {
            }
            b.driver->rewind(mark);
            for (unsigned i = 0; i < 16; ++i)
                b.read(bytes);
            b.queue(0).kick();
        }
        b.pass(ms / 10);
        done += b.disk->waiting.size() * bytes;
        b.complete_all();
    }
    const double expected = 32768.0 * 10 * 10; // 10 s
    CHECK(static_cast<double>(done) > 0.99 * expected);
    CHECK(static_cast<double>(done) < 1.03 * expected + bytes); // with the bucket it began with
}

TEST_CASE("a limit of a disk changes while it runs", "[virtio][limiter]") {
    DiskBench b({.bytes = {4096, 1000}});
    for (unsigned i = 0; i < 10; ++i)
        b.read(4096);
    b.kick(0);
    REQUIRE(b.disk->waiting.size() == 1);

    SECTION("no limit") {
        b.blk->set_rate_limit({.bytes = TokenBucketOptions{}});
        b.pass(0);
        CHECK(b.disk->waiting.size() == 10);
        CHECK_FALSE(b.blk->rate_limit().limits());
    }
    SECTION("a larger one") {
        b.blk->set_rate_limit({.bytes = TokenBucketOptions{8192, 1000, 4096}});
        b.pass(0);
        CHECK(b.disk->waiting.size() == 4);
        b.pass(1000 * ms);
        CHECK(b.disk->waiting.size() == 6);
    }
    SECTION("another kind beside it") {
        b.blk->set_rate_limit({.operations = TokenBucketOptions{1, 5000, 0}});
        b.pass(0);
        CHECK(b.disk->waiting.size() == 1);
        b.pass(1000 * ms); // the bytes are there, and the first operation
        CHECK(b.disk->waiting.size() == 2);
        b.pass(4000 * ms);
        CHECK(b.disk->waiting.size() == 2);
        b.pass(1000 * ms);
        CHECK(b.disk->waiting.size() == 3);
    }
    SECTION("the first one of a disk without") {
        DiskBench free({});
        free.blk->set_rate_limit({.operations = TokenBucketOptions{2, 1000, 0}});
        for (unsigned i = 0; i < 4; ++i)
            free.read(512);
        free.kick(0);
        CHECK(free.disk->waiting.size() == 2);
        free.pass(500 * ms);
        CHECK(free.disk->waiting.size() == 3);
    }
    SECTION("one where there is no clock") {
        VirtioBlk clockless(std::make_unique<ManualDisk>(), {});
        CHECK_THROWS_AS(clockless.set_rate_limit({.bytes = TokenBucketOptions{1, 1, 0}}), Error);
        CHECK_NOTHROW(clockless.set_rate_limit({.bytes = TokenBucketOptions{}}));
    }
}

TEST_CASE("pausing and resetting a disk that waits for its limit", "[virtio][limiter]") {
    const std::uint64_t features = GENERATE(std::uint64_t{0}, event_idx);
    DiskBench b({.bytes = {4096, 100}}, 1, features);
    for (unsigned i = 0; i < 3; ++i)
        b.read(4096);
    b.kick(0);
    REQUIRE(b.disk->waiting.size() == 1);
    b.complete_all();

    SECTION("a pause beyond the timer") {
        b.mmio->pause();
        CHECK(b.mmio->drained());
        b.pass(150 * ms);
        CHECK(b.disk->waiting.empty());
        b.mmio->resume();
        b.run();
        CHECK(b.disk->waiting.size() == 1);
        b.pass(100 * ms);
        CHECK(b.disk->waiting.size() == 2);
    }
    SECTION("a short pause") {
        b.mmio->pause();
        b.pass(10 * ms);
        b.mmio->resume();
        b.run();
        CHECK(b.disk->waiting.empty());
        b.pass(90 * ms);
        CHECK(b.disk->waiting.size() == 1);
    }
    SECTION("a reset by the driver fills no bucket") {
        b.driver->reset();
        b.pass(10 * ms);
        b.start(1, features);
        b.read(4096);
        b.kick(0);
        CHECK(b.disk->waiting.empty());
        b.pass(89 * ms);
        CHECK(b.disk->waiting.empty());
        b.pass(ms);
        CHECK(b.disk->waiting.size() == 1);
    }
    SECTION("a reset leaves nothing waiting") {
        b.driver->reset();
        b.pass(1000 * ms);
        CHECK(b.disk->waiting.empty());
        CHECK(b.driver->status() == 0);
    }
    SECTION("a snapshot takes the bucket along") {
        b.pass(25 * ms);
        b.mmio->pause();
        DiskBench other({});
        other.driver->reset();
        other.memory.write(Gpa(0), b.memory.range(Gpa(0), b.memory.size_bytes()));
        const auto state = b.saved();
        StateReader reader(state);
        other.mmio->restore(reader);
        CHECK(other.saved() == state);
        other.mmio->start();
        other.run();
        CHECK(other.disk->waiting.empty());
        other.pass(75 * ms - 1);
        CHECK(other.disk->waiting.empty());
        other.pass(1);
        CHECK(other.disk->waiting.size() == 1);
        other.pass(100 * ms);
        CHECK(other.disk->waiting.size() == 2);
    }
    SECTION("halt") {
        b.mmio->halt();
        b.pass(1000 * ms);
        CHECK(b.disk->waiting.empty());
    }
    SECTION("a driver that breaks the rules meanwhile") {
        b.queue(0).set_avail_index(5000);
        b.pass(100 * ms);
        b.pass(1000 * ms);
        CHECK((b.driver->status() & 0x40) != 0);
    }
}

TEST_CASE("the queues of a disk share one limit fairly", "[virtio][limiter]") {
    DiskBench b({.bytes = {4096, 100}}, 2);
    b.read(512, 0);
    b.kick(0);
    b.read(65536, 1); // waits for a full bucket
    b.kick(1);
    REQUIRE(b.disk->waiting.size() == 1);
    for (unsigned i = 0; i < 20; ++i)
        b.read(512, 0);
    b.kick(0);
    CHECK(b.disk->waiting.size() == 1); // else the large one might wait for ever
    b.pass(13 * ms);
    CHECK(b.disk->waiting.size() == 2);
    b.pass(1500 * ms);
    CHECK(b.disk->waiting.size() == 2);
    b.pass(113 * ms);
    CHECK(b.disk->waiting.size() == 2 + 9);
    b.pass(200 * ms);
    CHECK(b.disk->waiting.size() == 2 + 20);
}

TEST_CASE("a queue that goes away leaves the others at work", "[virtio][limiter]") {
    const auto disable = [](Bench& b, unsigned index) {
        b.driver->write(0x30, index);
        b.driver->write(0x44, 0);
        CHECK(b.driver->read(0x44) == 0);
    };
    SECTION("of a disk") {
        DiskBench b({.bytes = {4096, 100}}, 2);
        b.read(4096, 1);
        b.read(4096, 1);
        b.kick(1);
        REQUIRE(b.disk->waiting.size() == 1);
        CHECK(b.blk->held_count() == 1);
        disable(b, 0);
        b.run();
        CHECK(b.disk->waiting.empty()); // it was waited for
        b.pass(100 * ms);
        CHECK(b.disk->waiting.size() == 1);
    }
    SECTION("of a card") {
        NetBench b({}, {.bytes = {1000, 100}});
        b.send(2);
        b.kick(VirtioNet::transmit_queue);
        CHECK(b.card->transmit_held_count() == 1);
        CHECK(b.card->receive_held_count() == 0);
        disable(b, VirtioNet::control_queue);
        b.run();
        CHECK(b.net.take_sent().size() == 1);
        b.pass(100 * ms);
        CHECK(b.net.take_sent().size() == 1);
    }
}

TEST_CASE("frames are sent within a limit", "[virtio][net][limiter]") {
    const std::uint64_t features = GENERATE(std::uint64_t{0}, event_idx);
    NetBench b({}, {.bytes = {3000, 300}}, features);
    b.send(5);
    b.kick(VirtioNet::transmit_queue);
    CHECK(b.net.take_sent().size() == 3);
    CHECK(b.queue(1).used_index() == 3);
    b.kick(VirtioNet::transmit_queue);
    b.pass(99 * ms);
    CHECK(b.net.take_sent().empty());
    b.pass(ms);
    CHECK(b.net.take_sent().size() == 1);
    b.pass(100 * ms);
    CHECK(b.net.take_sent().size() == 1);

    b.pass(300 * ms);
    b.send(1);
    CHECK(b.queue(1).kick_if_wanted(features != 0));
    b.run();
    CHECK(b.net.take_sent().size() == 1);

    SECTION("one that the host does not take uses nothing up") {
        b.net.set_room(0);
        b.send(4);
        b.kick(1);
        b.net.set_room(100);
        b.run();
        CHECK(b.net.take_sent().size() == 2);
        b.pass(100 * ms);
        CHECK(b.net.take_sent().size() == 1);
    }
    SECTION("the host's room comes before the limit's time") {
        b.send(4);
        b.kick(1);
        CHECK(b.net.take_sent().size() == 2);
        b.net.set_room(100);
        b.run();
        CHECK(b.net.take_sent().empty());
        b.pass(100 * ms);
        CHECK(b.net.take_sent().size() == 1);
    }
}

TEST_CASE("frames are received within a limit", "[virtio][net][limiter]") {
    const std::uint64_t features = GENERATE(std::uint64_t{0}, event_idx);
    NetBench b({.operations = {4, 400}}, {}, features);
    b.offer_buffers(10);
    for (unsigned i = 0; i < 7; ++i) {
        b.net.arrive(NetBench::frame());
        b.run();
    }
    CHECK(b.received() == 4);
    CHECK(b.net.waiting() == 2); // one waits in the card, the others in the host
    CHECK_FALSE(b.net.wanted);
    b.pass(99 * ms);
    CHECK(b.received() == 0);
    b.pass(ms);
    CHECK(b.received() == 1);
    b.pass(200 * ms);
    CHECK(b.received() == 2);
    CHECK(b.net.wanted);

    SECTION("a frame waits for a buffer first") {
        b.offer_buffers(0);
        b.pass(400 * ms);
        for (unsigned i = 0; i < 5; ++i) {
            b.net.arrive(NetBench::frame());
            b.run();
        }
        CHECK(b.received() == 3); // all the buffers there were
        b.offer_buffers(2);
        CHECK(b.received() == 1);
        b.pass(100 * ms);
        CHECK(b.received() == 1);
    }
    SECTION("sending has a limit of its own") {
        b.send(20);
        b.kick(VirtioNet::transmit_queue);
        CHECK(b.net.take_sent().size() == 20);
    }
    SECTION("it changes while it runs") {
        b.offer_buffers(10);
        b.card->set_rate_limit({.operations = TokenBucketOptions{}},
                               {.bytes = TokenBucketOptions{2000, 1000, 0}});
        for (unsigned i = 0; i < 10; ++i) {
            b.net.arrive(NetBench::frame());
            b.run();
        }
        CHECK(b.received() == 10);
        b.send(3);
        b.kick(VirtioNet::transmit_queue);
        CHECK(b.net.take_sent().size() == 2);
        CHECK_FALSE(b.card->receive_limit().limits());
        CHECK(b.card->transmit_limit().bytes.size == 2000);
    }
    SECTION("a reset forgets the frame and the timer") {
        b.offer_buffers(8);
        for (unsigned i = 0; i < 3; ++i) {
            b.net.arrive(NetBench::frame());
            b.run();
        }
        b.driver->reset();
        b.pass(1000 * ms);
        CHECK(b.driver->status() == 0);
        b.driver->start(features, {64, 64, 8});
        b.offer_buffers(8);
        b.net.arrive(NetBench::frame());
        b.run();
        CHECK(b.received() >= 1);
    }
}

TEST_CASE("entropy is given within a limit", "[virtio][limiter]") {
    const std::uint64_t features = GENERATE(std::uint64_t{0}, event_idx);
    Bench b;
    auto device =
        std::make_unique<VirtioRng>(VirtioRngOptions{&b.clock, {.bytes = {128, 100, 64}}});
    VirtioRng& rng = *device;
    b.attach(std::move(device));
    b.driver->start(features, {64});
    for (unsigned i = 0; i < 20; ++i)
        b.queue(0).chain().in(64).add();
    b.kick(0);
    CHECK(b.queue(0).used_index() == 3);
    b.kick(0);
    CHECK(b.queue(0).used_index() == 3);
    b.pass(100 * ms);
    CHECK(b.queue(0).used_index() == 5);

    SECTION("a pause") {
        b.mmio->pause();
        b.pass(100 * ms);
        CHECK(b.queue(0).used_index() == 5);
        b.mmio->resume();
        b.run();
        CHECK(b.queue(0).used_index() == 7);
    }
    SECTION("a change") {
        rng.set_rate_limit({.bytes = TokenBucketOptions{}});
        b.pass(0);
        CHECK(b.queue(0).used_index() == 20);
        CHECK_FALSE(rng.rate_limit().limits());
    }
    SECTION("the rest comes in time") {
        for (unsigned i = 0; i < 8; ++i)
            b.pass(100 * ms);
        CHECK(b.queue(0).used_index() == 20);
        b.queue(0).chain().in(64).add();
        b.pass(100 * ms);
        CHECK(b.queue(0).used_index() == 20); // nobody kicked
        CHECK(b.queue(0).kick_if_wanted(features != 0));
        b.run();
        CHECK(b.queue(0).used_index() == 21);
    }
}
