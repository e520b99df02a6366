#include "tests/unit/balloon_machine.h"
#include "vmm/base/error.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace coldstart;
using namespace coldstart::fakes;
using namespace coldstart::fakes::balloon_features;

TEST_CASE("virtio-balloon offers what its options say", "[virtio]") {
    constexpr std::uint64_t device_bits = 0xff;
    CHECK((BalloonMachine().driver.offered() & device_bits) == 0);
    CHECK((BalloonMachine({.deflate_on_oom = true}).driver.offered() & device_bits) == oom);
    CHECK((BalloonMachine({.statistics_interval_s = 1}).driver.offered() & device_bits) == stats);
    CHECK((BalloonMachine({.free_page_hinting = true}).driver.offered() & device_bits) == hints);
    CHECK((BalloonMachine({.free_page_reporting = true}).driver.offered() & device_bits) ==
          reports);
    BalloonMachine m(every_balloon_feature);
    CHECK((m.driver.offered() & device_bits) == (stats | oom | hints | reports));
    CHECK(m.driver.read(0x08) == 5);

    CHECK(BalloonMachine().queues() == 2);
    CHECK(BalloonMachine({.statistics_interval_s = 1}).queues() == 3);
    CHECK(m.queues() == 5);
    CHECK(m.driver.queue_max_size(4) >= 32); // Linux's reporting wants as many
}

TEST_CASE("virtio-balloon takes pages out of RAM and ignores others", "[virtio]") {
    BalloonMachine m;
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
    BalloonMachine m({.amount_mib = 2});
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
    BalloonMachine m(every_balloon_feature);
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
    BalloonMachine m({.free_page_reporting = true});
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
