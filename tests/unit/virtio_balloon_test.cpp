#include "tests/fakes/fakes.h"
#include "tests/fakes/virtio_driver.h"
#include "virtio/balloon/virtio_balloon.h"
#include "virtio/transport/mmio/virtio_mmio_device.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

using namespace coldstart;
using namespace coldstart::fakes;

namespace {

constexpr std::uint64_t stats = 1 << 1, oom = 1 << 2, hints = 1 << 3, reports = 1 << 5;
constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr VirtioBalloonOptions everything{.amount_mib = 1,
                                          .deflate_on_oom = true,
                                          .statistics_interval_s = 5,
                                          .free_page_hinting = true,
                                          .free_page_reporting = true};

struct Machine {
    explicit Machine(const VirtioBalloonOptions& options = {})
        : balloon(new VirtioBalloon(options, memory, clock)),
          mmio(std::unique_ptr<VirtioDevice>(balloon), memory, line, reactor),
          driver(mmio, memory) {
        memory.fill(Gpa(MiB), 3 * MiB, std::byte{0xee});
    }
    ~Machine() { mmio.halt(); }

    void kick(unsigned queue) {
        driver.queue(queue).kick();
        reactor.run_until_idle();
    }
    void tell_pages(unsigned queue, const std::vector<std::uint32_t>& pages) {
        driver.queue(queue).chain().out(std::as_bytes(std::span(pages))).add();
        kick(queue);
    }
    void command(unsigned queue, std::uint32_t id) {
        driver.queue(queue).chain().out(std::as_bytes(std::span(&id, 1))).add();
        kick(queue);
    }
    void hint(unsigned queue, std::uint64_t gpa, std::uint32_t size) {
        driver.queue(queue).chain().raw(Gpa(gpa), size, 2).add();
        kick(queue);
    }
    bool page_is(std::uint64_t gpa, int value) {
        for (const std::byte byte : memory.range(Gpa(gpa), page_size_bytes)) {
            if (byte != static_cast<std::byte>(value))
                return false;
        }
        return true;
    }
    bool kept(std::uint64_t gpa) { return page_is(gpa, 0xee); }
    bool gone(std::uint64_t gpa) { return page_is(gpa, 0); }
    std::uint32_t config(unsigned offset) { return driver.config<std::uint32_t>(offset); }
    bool broken() { return (driver.status() & 0x40) != 0; }
    unsigned queues() {
        unsigned count = 0;
        while (driver.queue_max_size(count) != 0)
            ++count;
        return count;
    }

    GuestMemory memory = GuestMemory::on_heap(4 * MiB);
    FakeIrqLine line;
    FakeReactor reactor;
    FakeClock clock;
    VirtioBalloon* balloon;
    VirtioMmioDevice mmio;
    VirtioDriver driver;
};

std::vector<std::byte> statistic(std::uint16_t tag, std::uint64_t value) {
    std::vector<std::byte> bytes;
    append_le(bytes, tag);
    append_le(bytes, value);
    return bytes;
}

void tell_statistics(Machine& m, unsigned queue, const std::vector<std::vector<std::byte>>& all) {
    std::vector<std::byte> bytes;
    for (const auto& one : all)
        bytes.insert(bytes.end(), one.begin(), one.end());
    m.driver.queue(queue).chain().out(bytes).add();
    m.kick(queue);
}

} // namespace

TEST_CASE("virtio-balloon offers what its options say", "[virtio]") {
    constexpr std::uint64_t device_bits = 0xff;
    CHECK((Machine().driver.offered() & device_bits) == 0);
    CHECK((Machine({.deflate_on_oom = true}).driver.offered() & device_bits) == oom);
    CHECK((Machine({.statistics_interval_s = 1}).driver.offered() & device_bits) == stats);
    CHECK((Machine({.free_page_hinting = true}).driver.offered() & device_bits) == hints);
    CHECK((Machine({.free_page_reporting = true}).driver.offered() & device_bits) == reports);
    Machine m(everything);
    CHECK((m.driver.offered() & device_bits) == (stats | oom | hints | reports));
    CHECK(m.driver.read(0x08) == 5);

    CHECK(Machine().queues() == 2);
    CHECK(Machine({.statistics_interval_s = 1}).queues() == 3);
    CHECK(m.queues() == 5);
    CHECK(m.driver.queue_max_size(4) >= 32); // Linux's reporting wants as many
}

TEST_CASE("virtio-balloon takes pages out of RAM and ignores others", "[virtio]") {
    Machine m;
    m.driver.start(0, {8, 8});
    // 1 MiB is page 256; in no order, one twice, some far out.
    m.tell_pages(0, {259, 258, 300, 258, 0x400, 0xffffffff, 0x3ff, 0x80000000});
    CHECK(m.driver.queue(0).take_used());
    for (const std::uint64_t page : {258u, 259u, 300u, 0x3ffu})
        CHECK(m.gone(page << 12));
    for (const std::uint64_t page : {256u, 257u, 260u, 299u, 301u, 0x3feu})
        CHECK(m.kept(page << 12));
    CHECK_FALSE(m.broken());

    SECTION("a buffer may be cut anywhere, and its odd end does not count") {
        const std::uint32_t pages[] = {0x180, 0x182};
        const auto bytes = std::as_bytes(std::span(pages));
        m.driver.queue(0).chain().out(bytes.first(3)).out(bytes.subspan(3)).out("xyz").add();
        m.kick(0);
        CHECK(m.gone(0x180000));
        CHECK(m.kept(0x181000));
        CHECK(m.gone(0x182000));
    }
    SECTION("more pages than one block, up to a limit") {
        std::vector<std::uint32_t> pages(20000, 0xfffff);
        pages[5000] = 0x190;
        pages[16383] = 0x191;
        pages[16384] = 0x192;
        m.tell_pages(0, pages);
        CHECK(m.gone(0x190000));
        CHECK(m.gone(0x191000));
        CHECK(m.kept(0x192000));
        CHECK_FALSE(m.broken());
    }
    SECTION("a deflated page is the guest's again and nothing is done to it") {
        m.memory.fill(Gpa(0x102000), page_size_bytes, std::byte{0x11});
        m.tell_pages(1, {258});
        CHECK(m.driver.queue(1).take_used());
        CHECK(m.page_is(0x102000, 0x11));
    }
    SECTION("a chain that breaks the rules") {
        m.driver.queue(0).chain().raw(Gpa(1ull << 40), 4, 0).add();
        m.kick(0);
        CHECK(m.broken());
    }
}

TEST_CASE("virtio-balloon's configuration: the target, and what the driver holds", "[virtio]") {
    Machine m({.amount_mib = 2});
    CHECK(m.config(0) == 512);
    m.driver.transport().write_config(4, 4, 5);
    CHECK(m.config(4) == 0); // there is no driver yet
    m.driver.start(0, {8, 8});
    m.driver.transport().write_config(0, 4, 77);
    m.driver.transport().write_config(8, 4, 77);
    m.driver.transport().write_config(12, 4, 77);
    CHECK(m.config(0) == 512);
    CHECK(m.config(8) == 0);
    CHECK(m.config(12) == 0);
    m.driver.transport().write_config(4, 4, 300);
    CHECK(m.config(4) == 300);
    CHECK(m.balloon->size().target_mib() == 2);
    CHECK(m.balloon->size().actual_pages == 300);
    CHECK(m.balloon->size().actual_mib() == 1);
    m.driver.transport().write_config(5, 1, 2);
    CHECK(m.balloon->size().actual_pages == 556);

    const std::uint32_t generation = m.driver.read(0xfc);
    m.balloon->set_target(3);
    CHECK(m.config(0) == 768);
    CHECK(m.driver.read(0xfc) != generation);
    CHECK(m.driver.read(0x60) == 2); // a configuration interrupt
    CHECK_THROWS_AS(m.balloon->set_target(5), Error);
    CHECK_THROWS_AS(m.balloon->set_target(0xffffffff), Error);
    CHECK(m.balloon->size().target_mib() == 3);
    CHECK_THROWS_AS(VirtioBalloon({.amount_mib = 5}, m.memory, m.clock), Error);

    SECTION("a reset keeps the target alone") {
        m.mmio.reset();
        CHECK(m.balloon->size().target_mib() == 3);
        CHECK(m.balloon->size().actual_pages == 0);
    }
}

TEST_CASE("virtio-balloon finds its queues by number of the specification and of Linux",
          "[virtio]") {
    struct Case {
        std::uint64_t features;
        std::vector<unsigned> set_up; ///< besides 0 and 1
        unsigned reporting;
    };
    const Case c = GENERATE(values<Case>({{reports, {2}, 2},
                                          {reports, {4}, 4},
                                          {stats | reports, {2, 3}, 3},
                                          {stats | reports, {2, 4}, 4},
                                          {hints | reports, {2, 3}, 3},
                                          {hints | reports, {3, 4}, 4},
                                          {stats | hints | reports, {2, 3, 4}, 4}}));
    Machine m(everything);
    REQUIRE(m.driver.negotiate(c.features));
    std::vector<VirtioDriver::Queue*> queues;
    for (unsigned index = 0; index < 5; ++index) {
        const bool wanted = index < 2 || std::count(c.set_up.begin(), c.set_up.end(), index) != 0;
        auto& queue = m.driver.add_queue(8);
        if (!wanted) {
            m.driver.write(0x30, index);
            m.driver.write(0x44, 0);
        }
        queues.push_back(&queue);
    }
    m.driver.set_status(4);
    queues[c.reporting]->chain().raw(Gpa(0x200000), 2 * page_size_bytes, 2).add();
    m.kick(c.reporting);
    CHECK(m.gone(0x200000));
    CHECK(m.gone(0x201000));
    CHECK(m.kept(0x202000));
    CHECK(queues[c.reporting]->used_index() == 1);
}

TEST_CASE("virtio-balloon gives reported ranges back", "[virtio]") {
    Machine m({.free_page_reporting = true});
    m.driver.start(reports, {8, 8, 32});
    m.driver.queue(2)
        .chain()
        .raw(Gpa(0x200000), 0x4000, 2)
        .raw(Gpa(0x300800), 0x1800, 2)
        .raw(Gpa(0x180000), 100, 2)
        .add();
    m.kick(2);
    CHECK(m.driver.queue(2).take_used());
    CHECK(m.gone(0x200000));
    CHECK(m.gone(0x203000));
    CHECK(m.kept(0x204000));
    CHECK(m.page_is(0x301000, 0));
    CHECK(m.kept(0x180000)); // no whole page
    CHECK(m.memory.load<std::uint8_t>(Gpa(0x300fff)) == 0xee);

    // What the driver says the device may only read is not touched.
    m.driver.queue(2).chain().raw(Gpa(0x240000), 0x1000, 0).add();
    m.kick(2);
    CHECK(m.kept(0x240000));
}

TEST_CASE("virtio-balloon's statistics", "[virtio]") {
    Machine m({.statistics_interval_s = 5});
    CHECK(m.balloon->statistics() == BalloonStatistics{});
    // As Linux: the first buffer is there, and kicked for, before DRIVER_OK.
    REQUIRE(m.driver.negotiate(stats));
    for (int i = 0; i < 3; ++i)
        m.driver.add_queue(8);
    tell_statistics(m, 2, {statistic(4, 1000), statistic(5, 2000), statistic(0x7777, 3)});
    m.driver.set_status(4);
    m.reactor.run_until_idle();
    CHECK(m.balloon->statistics().free_memory == 1000);
    CHECK(m.balloon->statistics().total_memory == 2000);
    CHECK_FALSE(m.balloon->statistics().swap_in);
    CHECK(m.driver.queue(2).used_index() == 0); // held

    SECTION("each interval asks for new ones, if the driver has answered") {
        m.clock.advance(5 * second_ns - 1);
        CHECK(m.driver.queue(2).used_index() == 0);
        m.clock.advance(1);
        CHECK(m.driver.queue(2).used_index() == 1);
        CHECK(m.line.rising_edges == 1);
        m.clock.advance(10 * second_ns);
        CHECK(m.driver.queue(2).used_index() == 1);
        tell_statistics(m, 2, {statistic(4, 900), statistic(0, 1), statistic(15, 15)});
        CHECK(m.balloon->statistics().free_memory == 900);
        CHECK(m.balloon->statistics().total_memory == 2000); // not told again
        CHECK(m.balloon->statistics().swap_in == 1);
        CHECK(m.balloon->statistics().direct_reclaim == 15);
        m.clock.advance(5 * second_ns);
        CHECK(m.driver.queue(2).used_index() == 2);
    }
    SECTION("a new interval asks at once and counts from then on") {
        m.balloon->set_statistics_interval(1);
        CHECK(m.balloon->statistics_interval_s() == 1);
        CHECK(m.driver.queue(2).used_index() == 1);
        tell_statistics(m, 2, {statistic(4, 1)});
        m.clock.advance(second_ns);
        CHECK(m.driver.queue(2).used_index() == 2);
        CHECK_THROWS_AS(m.balloon->set_statistics_interval(0), Error);
        m.balloon->set_statistics_interval(0xffffffff);
    }
    SECTION("by request") {
        m.balloon->request_statistics();
        CHECK(m.driver.queue(2).take_used());
        m.balloon->request_statistics();
        CHECK(m.driver.queue(2).used_index() == 1);
    }
    SECTION("a second buffer sends the first one back") {
        tell_statistics(m, 2, {statistic(4, 7)});
        CHECK(m.driver.queue(2).used_index() == 1);
        CHECK(m.balloon->statistics().free_memory == 7);
        m.balloon->request_statistics();
        CHECK(m.driver.queue(2).used_index() == 2);
    }
    SECTION("paused, the driver's buffer stays here") {
        m.mmio.pause();
        m.balloon->request_statistics();
        m.clock.advance(20 * second_ns);
        CHECK(m.driver.queue(2).used_index() == 0);
        m.mmio.resume();
        m.clock.advance(5 * second_ns);
        CHECK(m.driver.queue(2).used_index() == 1);
    }
    SECTION("another driver begins anew") {
        m.driver.reset();
        CHECK(m.balloon->statistics() == BalloonStatistics{});
        m.clock.advance(20 * second_ns);
        m.driver.start(stats, {8, 8, 8});
        m.balloon->request_statistics();
        CHECK(m.driver.queue(2).used_index() == 0);
    }
    SECTION("a buffer of nonsense") {
        m.driver.queue(2).chain().in(64).add();
        m.driver.queue(2).chain().out(std::string(50000, 'x')).add();
        m.kick(2);
        CHECK_FALSE(m.broken());
        CHECK(m.balloon->statistics().free_memory == 1000);
    }
}

TEST_CASE("virtio-balloon without statistics refuses to tell them", "[virtio]") {
    Machine m;
    m.driver.start(0, {8, 8});
    CHECK_FALSE(m.balloon->statistics_enabled());
    CHECK_THROWS_AS(m.balloon->statistics(), Error);
    CHECK_THROWS_AS(m.balloon->set_statistics_interval(1), Error);
    m.balloon->set_statistics_interval(0);
    m.balloon->request_statistics();
}

TEST_CASE("virtio-balloon's hinting takes pages of the newest run alone", "[virtio]") {
    Machine m({.free_page_hinting = true});
    CHECK_THROWS_AS(m.balloon->start_hinting(), Error); // no driver yet
    m.driver.start(hints, {8, 8, 32});
    CHECK(m.balloon->hinting_status().host_command == 0);
    CHECK_FALSE(m.balloon->hinting_status().guest_command);
    m.hint(2, 0x200000, 0x1000);
    CHECK(m.kept(0x200000)); // nobody asked

    m.balloon->start_hinting(true);
    CHECK(m.config(8) == 2);
    CHECK(m.driver.read(0x60) != 0);
    m.hint(2, 0x200000, 0x1000);
    CHECK(m.kept(0x200000)); // not of this run
    m.command(2, 2);
    m.hint(2, 0x200000, 0x2000);
    CHECK(m.gone(0x200000));
    CHECK(m.gone(0x201000));
    CHECK(m.balloon->hinting_status().host_command == 2);
    CHECK(m.balloon->hinting_status().guest_command == 2);

    SECTION("the end of the run lets the driver take its pages back") {
        m.command(2, 0);
        CHECK(m.config(8) == 1);
        CHECK(m.balloon->hinting_status().host_command == 1);
        CHECK(m.balloon->hinting_status().guest_command == 0);
        m.hint(2, 0x210000, 0x1000);
        CHECK(m.kept(0x210000));
        m.balloon->start_hinting(false);
        CHECK(m.config(8) == 3);
        m.command(2, 3);
        m.hint(2, 0x210000, 0x1000);
        CHECK(m.gone(0x210000));
        m.command(2, 0);
        CHECK(m.config(8) == 3); // until the host says so
        m.balloon->stop_hinting();
        CHECK(m.config(8) == 1);
    }
    SECTION("after the host's stop nothing is taken") {
        m.balloon->stop_hinting();
        m.hint(2, 0x210000, 0x1000);
        CHECK(m.kept(0x210000));
    }
    SECTION("the end of an older run does not end the newer one") {
        m.balloon->start_hinting(true);
        m.hint(2, 0x210000, 0x1000);
        CHECK(m.kept(0x210000));
        m.command(2, 0);
        CHECK(m.config(8) == 3);
        m.command(2, 3);
        m.hint(2, 0x210000, 0x1000);
        CHECK(m.gone(0x210000));
    }
    SECTION("a command and pages in one chain") {
        const std::uint32_t command = 2;
        m.driver.queue(2)
            .chain()
            .out(std::as_bytes(std::span(&command, 1)))
            .raw(Gpa(0x220000), 0x1000, 2)
            .add();
        m.kick(2);
        CHECK(m.gone(0x220000));
    }
    SECTION("a reset ends it") {
        m.driver.reset();
        CHECK(m.config(8) == 0);
        CHECK_THROWS_AS(m.balloon->stop_hinting(), Error);
        CHECK_FALSE(m.balloon->hinting_status().guest_command);
    }
}

TEST_CASE("virtio-balloon without hinting refuses it", "[virtio]") {
    Machine m({.free_page_reporting = true});
    m.driver.start(reports, {8, 8, 8});
    CHECK_THROWS_AS(m.balloon->start_hinting(), Error);
    CHECK_THROWS_AS(m.balloon->stop_hinting(), Error);
    CHECK_THROWS_AS(m.balloon->hinting_status(), Error);
}

TEST_CASE("virtio-balloon goes on from its saved state", "[virtio]") {
    Machine m(everything);
    m.driver.start(stats | hints | reports, {8, 8, 8, 8, 8});
    m.driver.transport().write_config(4, 4, 99);
    m.balloon->set_target(2);
    m.balloon->set_statistics_interval(7);
    tell_statistics(m, 2, {statistic(6, 60)});
    m.balloon->start_hinting(false);
    m.command(3, 2);
    m.mmio.pause();
    StateWriter writer;
    m.mmio.save(writer);

    auto* const balloon = new VirtioBalloon(everything, m.memory, m.clock);
    VirtioMmioDevice restored(std::unique_ptr<VirtioDevice>(balloon), m.memory, m.line, m.reactor);
    StateReader reader(writer.bytes());
    restored.restore(reader);
    CHECK(reader.at_end());
    restored.start();
    m.reactor.run_until_idle();
    CHECK(balloon->size().target_mib() == 2);
    CHECK(balloon->size().actual_pages == 99);
    CHECK(balloon->statistics().available_memory == 60);
    CHECK(balloon->statistics_interval_s() == 7);
    CHECK(balloon->hinting_status().host_command == 2);
    CHECK(balloon->hinting_status().guest_command == 2);
    CHECK(m.driver.queue(2).used_index() == 0);
    m.clock.advance(7 * second_ns);
    CHECK(m.driver.queue(2).used_index() == 1); // the buffer that was held
    balloon->start_hinting();
    CHECK(restored.read(0, 0x108, 4) == 3);
    restored.halt();

    VirtioMmioDevice without(
        std::make_unique<VirtioBalloon>(
            VirtioBalloonOptions{.free_page_hinting = true, .free_page_reporting = true}, m.memory,
            m.clock),
        m.memory, m.line, m.reactor);
    StateReader again(writer.bytes());
    CHECK_THROWS_AS(without.restore(again), Error);
    without.halt();
}

TEST_CASE("virtio-balloon: the host, the I/O thread and a vCPU at the same time",
          "[virtio][threads]") {
    Machine m(everything);
    m.driver.start(stats | hints | reports, {64, 8, 8, 8, 8});
    std::atomic<bool> over = false;
    std::atomic<unsigned> wrong = 0;
    std::thread io([&] {
        while (!over)
            m.reactor.run_until_idle(1);
    });
    std::thread host([&] {
        for (std::uint32_t i = 0; i < 500; ++i) {
            m.balloon->set_target(i % 4);
            m.balloon->set_statistics_interval(1 + i % 2);
            m.balloon->request_statistics();
            m.balloon->start_hinting(i % 2 == 0);
            m.balloon->stop_hinting();
            // Catch2 is for one thread.
            wrong += m.balloon->size().target_mib() != i % 4;
            wrong += m.balloon->hinting_status().host_command != 1;
        }
    });
    const Gpa mark = m.driver.heap_mark();
    for (std::uint32_t i = 0; i < 200; ++i) {
        m.driver.rewind(mark);
        const std::uint32_t pages[] = {0x200 + i, 0x300 + i};
        m.driver.queue(0).chain().out(std::as_bytes(std::span(pages))).add();
        m.driver.queue(0).kick();
        m.driver.transport().write_config(4, 4, 2 * i);
        CHECK(m.config(0) <= 3 * 256);
        while (!m.driver.queue(0).take_used())
            std::this_thread::yield();
    }
    host.join();
    over = true;
    io.join();
    CHECK(wrong == 0);
    CHECK(m.gone(0x300000));
    CHECK_FALSE(m.broken());
}
