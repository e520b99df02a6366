#include "tests/unit/balloon_machine.h"
#include "vmm/base/error.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

using namespace coldstart;
using namespace coldstart::fakes;
using namespace coldstart::fakes::balloon_features;

namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;

} // namespace

TEST_CASE("virtio-balloon's statistics", "[virtio]") {
    BalloonMachine m({.statistics_interval_s = 5});
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
    BalloonMachine m;
    m.driver.start(0, {8, 8});
    CHECK_FALSE(m.balloon->statistics_enabled());
    CHECK_THROWS_AS(m.balloon->statistics(), Error);
    CHECK_THROWS_AS(m.balloon->set_statistics_interval(1), Error);
    m.balloon->set_statistics_interval(0);
    m.balloon->request_statistics();
}

TEST_CASE("virtio-balloon's hinting takes pages of the newest run alone", "[virtio]") {
    BalloonMachine m({.free_page_hinting = true});
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
    BalloonMachine m({.free_page_reporting = true});
    m.driver.start(reports, {8, 8, 8});
    CHECK_THROWS_AS(m.balloon->start_hinting(), Error);
    CHECK_THROWS_AS(m.balloon->stop_hinting(), Error);
    CHECK_THROWS_AS(m.balloon->hinting_status(), Error);
}

TEST_CASE("virtio-balloon goes on from its saved state", "[virtio]") {
    BalloonMachine m(every_balloon_feature);
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

    auto* const balloon = new VirtioBalloon(every_balloon_feature, m.memory, m.clock);
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
    BalloonMachine m(every_balloon_feature);
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
