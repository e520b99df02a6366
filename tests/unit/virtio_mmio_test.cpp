// The registers of virtio-mmio and the status machine behind them.
#include "tests/fakes/fakes.h"
#include "tests/fakes/virtio_driver.h"
#include "tests/fakes/virtio_echo.h"
#include "virtio/transport/mmio/virtio_mmio_device.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"

#include <catch2/catch.hpp>

#include <sys/eventfd.h>

using namespace coldstart;
using namespace coldstart::fakes;

namespace {

struct EchoMachine {
    GuestMemory memory = GuestMemory::on_heap(MiB);
    FakeIrqLine line;
    FakeReactor reactor;
    VirtioEcho* echo = new VirtioEcho;
    VirtioMmioDevice mmio{std::unique_ptr<VirtioDevice>(echo), memory, line, reactor};
    VirtioDriver driver{mmio, memory};
};

constexpr std::uint64_t offered =
    1ull << 32 | virtio_feature::indirect_desc | virtio_feature::event_idx | 0x5;

} // namespace

TEST_CASE("virtio-mmio introduces itself", "[virtio]") {
    EchoMachine m;
    CHECK(m.driver.read(0x00) == 0x74726976);
    CHECK(m.driver.read(0x04) == 2);
    CHECK(m.driver.read(0x08) == 63);
    CHECK(m.driver.offered() == offered);
    m.driver.write(0x14, 2);
    CHECK(m.driver.read(0x10) == 0);
    CHECK(m.driver.read(0xb0) == 0xffffffff); // no shared memory
    CHECK(m.driver.read(0xb4) == 0xffffffff);
    for (const std::uint32_t queue : {0u, 1u, 2u, 0xffffffffu}) {
        m.driver.write(0x30, queue);
        CHECK(m.driver.read(0x34) == (queue == 0 ? 256u : queue == 1 ? 64u : 0u));
        CHECK(m.driver.read(0x44) == 0);
    }
    CHECK(m.mmio.regions().size() == 1);
    CHECK(m.mmio.lines()[0].edge_triggered);
    REQUIRE(m.mmio.doorbells().size() == 2);
    CHECK(m.mmio.doorbells()[1].offset == 0x50);
    CHECK(m.mmio.doorbells()[1].width == 4);
    CHECK(m.mmio.doorbells()[1].value == 1);
    CHECK(m.mmio.acpi().hid == "LNRO0005");
    CHECK(m.mmio.acpi().cache_coherent);
}

TEST_CASE("virtio-mmio registers take aligned 32-bit accesses only", "[virtio]") {
    EchoMachine m;
    CHECK(m.mmio.read(0, 0, 1) == 0xff);
    CHECK(m.mmio.read(0, 0, 2) == 0xffff);
    CHECK(m.mmio.read(0, 0, 8) == ~0ull);
    CHECK(m.mmio.read(0, 2, 4) == 0xffffffff);
    m.mmio.write(0, 0x70, 1, 1);
    m.mmio.write(0, 0x70, 8, 1);
    m.mmio.write(0, 0x6f, 4, 0x100);
    CHECK(m.driver.status() == 0);
    m.mmio.write(0, 0x04, 4, 7); // read-only
    CHECK(m.driver.read(0x04) == 2);
}

TEST_CASE("configuration space takes any width", "[virtio]") {
    EchoMachine m;
    CHECK(m.driver.config<std::uint8_t>(2) == 3);
    CHECK(m.driver.config<std::uint16_t>(1) == 0x0302);
    CHECK(m.driver.config<std::uint32_t>(5) == 0x080706); // zero beyond the end
    CHECK(m.driver.config<std::uint64_t>(0) == 0x0807060504030201);
    CHECK(m.mmio.read(0, 0xff8, 8) == 0);
    m.mmio.write(0, 0x102, 2, 0xaabb);
    CHECK(m.driver.config<std::uint32_t>(0) == 0xaabb0201);
    m.mmio.write(0, 0x107, 8, ~0ull);
    CHECK(m.driver.config<std::uint64_t>(1) == 0x00ff070605aabb02);
}

TEST_CASE("features are agreed on or refused", "[virtio]") {
    EchoMachine m;
    SECTION("all of them") {
        CHECK(m.driver.negotiate(offered));
    }
    SECTION("VERSION_1 alone") {
        CHECK(m.driver.negotiate(0));
    }
    SECTION("one that was not offered") {
        CHECK_FALSE(m.driver.negotiate(2));
    }
    SECTION("a high one that was not offered") {
        CHECK_FALSE(m.driver.negotiate(1ull << 33));
    }
    SECTION("without VERSION_1") {
        m.driver.set_status(1);
        m.driver.set_status(2);
        m.driver.write(0x24, 0);
        m.driver.write(0x20, 5);
        m.driver.set_status(8);
        CHECK(m.driver.status() == 3);
        SECTION("and then better") {
            m.driver.write(0x24, 1);
            m.driver.write(0x20, 1);
            m.driver.set_status(8);
            CHECK(m.driver.status() == 11);
        }
        SECTION("and DRIVER_OK all the same") {
            m.driver.set_status(4);
            CHECK(m.driver.status() == 3);
            CHECK(m.echo->activations == 0);
        }
    }
    SECTION("and not changed afterwards") {
        CHECK(m.driver.negotiate(4));
        m.driver.write(0x24, 0);
        m.driver.write(0x20, 5);
        m.driver.set_status(4);
        REQUIRE(m.echo->active);
        CHECK(m.echo->active->features == (1ull << 32 | 4));
    }
}

TEST_CASE("the status decides whether the device works", "[virtio]") {
    EchoMachine m;
    m.driver.start(0, {8});
    CHECK(m.driver.status() == 15);
    CHECK(m.echo->activations == 1);
    CHECK(m.echo->active->queues.size() == 2);
    CHECK(m.echo->active->queues[0].ready());
    CHECK_FALSE(m.echo->active->queues[1].ready());
    m.driver.set_status(15);
    CHECK(m.echo->activations == 1);
    m.driver.write(0x70, 1); // bits are not cleared one by one
    CHECK(m.driver.status() == 15);
    m.driver.set_status(64); // not the driver's bit
    CHECK(m.driver.status() == 15);

    SECTION("reset deactivates and forgets") {
        m.driver.queue(0).chain().out("a").add();
        m.driver.queue(0).kick();
        m.reactor.run_until_idle();
        CHECK(m.driver.read(0x60) == 1);
        m.driver.reset();
        CHECK(m.driver.status() == 0);
        CHECK(m.driver.read(0x60) == 0);
        CHECK(m.echo->deactivations == 1);
        CHECK(m.driver.read(0x44) == 0);
        m.driver.write(0x50, 0);
        m.reactor.run_until_idle();
        CHECK(m.echo->processed == 1);
        m.driver.start(0, {8, 8});
        CHECK(m.echo->activations == 2);
    }
    SECTION("FAILED deactivates") {
        m.driver.set_status(128);
        CHECK(m.driver.status() == 143);
        CHECK(m.echo->deactivations == 1);
    }
    SECTION("queues stand still once it works") {
        m.driver.write(0x30, 1);
        m.driver.write(0x38, 4);
        m.driver.write(0x44, 1);
        CHECK(m.driver.read(0x44) == 0);
    }
    SECTION("a queue taken away is not used any more") {
        m.driver.write(0x30, 0);
        m.driver.write(0x44, 0);
        CHECK(m.driver.read(0x44) == 0);
        CHECK(m.echo->deactivations == 1);
        CHECK(m.echo->activations == 2);
        m.driver.queue(0).chain().out("a").add();
        m.driver.queue(0).kick();
        m.reactor.run_until_idle();
        CHECK(m.echo->processed == 0);
    }
    SECTION("the machine's reset is the driver's") {
        m.mmio.pause();
        REQUIRE(m.mmio.drained());
        m.mmio.reset();
        m.mmio.resume();
        CHECK(m.driver.status() == 0);
        CHECK(m.echo->deactivations == 1);
    }
    SECTION("halt ends the watches") {
        m.mmio.halt();
        CHECK(m.echo->deactivations == 1);
        m.driver.write(0x50, 0);
        CHECK(m.reactor.run_until_idle() == 0);
    }
}

TEST_CASE("a device that can't work with its driver asks for a reset", "[virtio]") {
    EchoMachine m;
    m.echo->refuse_activation = true;
    m.driver.start(0, {8});
    CHECK(m.driver.status() == (15 | 64));
    CHECK(m.driver.read(0x60) == 2);
    CHECK(m.line.rising_edges == 1);
    m.driver.reset();
    CHECK(m.echo->deactivations == 0);
}

TEST_CASE("interrupt status holds until acknowledged", "[virtio]") {
    EchoMachine m;
    m.driver.start(0, {8});
    m.echo->active->notifier.config_changed();
    CHECK(m.driver.read(0xfc) == 1);
    m.driver.queue(0).chain().out("a").add();
    m.driver.queue(0).kick();
    m.reactor.run_until_idle();
    CHECK(m.driver.read(0x60) == 3);
    CHECK(m.line.rising_edges == 2);
    m.driver.write(0x64, 1);
    CHECK(m.driver.read(0x60) == 2);
    m.driver.write(0x64, 2);
    CHECK(m.driver.read(0x60) == 0);
}

TEST_CASE("kicks by eventfd and by register are the same", "[virtio]") {
    EchoMachine m;
    m.driver.start(0, {8, 8});
    m.driver.queue(1).chain().out("a").add();
    REQUIRE(::eventfd_write(m.mmio.doorbells()[1].event_fd, 1) == 0);
    m.reactor.run_until_idle();
    CHECK(m.driver.queue(1).used_index() == 1);
    m.driver.queue(1).chain().out("b").add();
    m.driver.write(0x50, 1);
    m.driver.write(0x50, 2); // there is no such queue
    m.driver.write(0x50, 0xffffffff);
    CHECK(m.driver.queue(1).used_index() == 1); // never on the vCPU's thread
    m.reactor.run_until_idle();
    CHECK(m.driver.queue(1).used_index() == 2);
}

TEST_CASE("kicks while paused are not lost", "[virtio]") {
    EchoMachine m;
    m.driver.start(0, {8});
    m.mmio.pause();
    m.driver.queue(0).chain().out("a").add();
    m.driver.queue(0).kick();
    m.reactor.run_until_idle();
    CHECK(m.driver.queue(0).used_index() == 0);
    m.mmio.resume();
    m.reactor.run_until_idle();
    CHECK(m.driver.queue(0).used_index() == 1);
}
