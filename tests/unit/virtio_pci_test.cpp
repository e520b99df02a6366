// virtio over PCI: the function as firmware finds it, the registers, and every way of interrupting.
#include "tests/fakes/fake_machine_host.h"
#include "tests/fakes/fake_pci.h"
#include "tests/fakes/fakes.h"
#include "tests/fakes/virtio_driver.h"
#include "tests/fakes/virtio_echo.h"
#include "virtio/transport/pci/virtio_pci_device.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/machine/placements.h"

#include <catch2/catch.hpp>

#include <sys/eventfd.h>

using namespace coldstart;
using namespace coldstart::fakes;

namespace {

struct EchoFunction {
    explicit EchoFunction(std::vector<std::byte> rom = {})
        : pci{std::unique_ptr<VirtioDevice>(echo),
              {.memory = memory, .reactor = reactor, .placer = placer, .msis = msis, .intx = &line},
              rom} {}

    void switch_on_with_msix() {
        transport.switch_on();
        transport.enable_msix(true);
        for (unsigned vector = 0; vector < 3; ++vector)
            transport.set_vector(vector, 0x40 + vector);
    }
    void echo_on(unsigned queue) {
        driver.queue(queue).chain().out("a").in(1).add();
        driver.queue(queue).kick();
        reactor.run_until_idle();
    }
    std::vector<std::uint32_t> sent() const {
        std::vector<std::uint32_t> data;
        for (const MsiMessage& message : msis.sent)
            data.push_back(message.data);
        return data;
    }

    GuestMemory memory = GuestMemory::on_heap(MiB);
    FakeIrqLine line;
    FakeReactor reactor;
    FakePlacer placer;
    FakeMsiRouter msis;
    VirtioEcho* echo = new VirtioEcho;
    VirtioPciDevice pci;
    PciTransport* registers = new PciTransport(pci);
    VirtioDriver driver{std::unique_ptr<DriverTransport>(registers), memory};
    PciTransport& transport = *registers;
};

constexpr std::uint64_t offered =
    1ull << 32 | virtio_feature::indirect_desc | virtio_feature::event_idx | 0x5;
constexpr std::uint64_t notify_at = 0x3000;
constexpr std::uint32_t no_vector = 0xffff;

std::vector<std::byte> rom_image(std::uint8_t code_type) {
    std::vector<std::byte> rom(1024);
    const std::span<std::byte> bytes(rom);
    store_le<std::uint16_t>(bytes, 0, 0xaa55);
    store_le<std::uint8_t>(bytes, 2, 2);
    store_le<std::uint16_t>(bytes, 0x18, 0x40);
    store_le<std::uint32_t>(bytes, 0x40, 0x52494350);
    store_le<std::uint16_t>(bytes, 0x44, 0x1af4);
    store_le<std::uint16_t>(bytes, 0x46, 0x1000);
    store_le<std::uint16_t>(bytes, 0x50, 2);
    store_le<std::uint8_t>(bytes, 0x54, code_type);
    store_le<std::uint8_t>(bytes, 0x55, 0x80);
    return rom;
}

} // namespace

TEST_CASE("virtio-pci is found as the standard says", "[virtio]") {
    EchoFunction f;
    CHECK(f.pci.config_read(0x00, 4) == 0x107f1af4); // 0x1040 + 63
    CHECK(f.pci.config_read(0x08, 4) == 0x00ff0001);
    CHECK(f.pci.config_read(0x2c, 4) == 0x11001af4);
    CHECK(f.pci.config_read(0x3d, 1) == 1);
    REQUIRE((f.transport.common && f.transport.notify && f.transport.isr && f.transport.device &&
             f.transport.window));
    CHECK(f.transport.common->length >= 56);
    CHECK(f.pci.config_read(f.transport.common->capability + 2, 1) == 16);
    CHECK(f.pci.config_read(f.transport.notify->capability + 2, 1) == 20);
    CHECK(f.pci.config_read(f.transport.notify->capability + 16, 4) == 4);
    CHECK(f.pci.config_read(f.transport.window->capability + 2, 1) == 20);
    CHECK(f.transport.vectors() == 3);
    CHECK(f.pci.config_read(f.transport.msix_capability + 4, 4) == 1);
    CHECK(f.pci.config_read(f.transport.msix_capability + 8, 4) == (0x800 | 1));
    // Sizing.
    f.pci.config_write(0x14, 4, 0xffffffff);
    CHECK(f.pci.config_read(0x14, 4) == 0xfffff000);
    f.pci.config_write(0x20, 4, 0xffffffff);
    f.pci.config_write(0x24, 4, 0xffffffff);
    CHECK(f.pci.config_read(0x20, 4) == 0xffffc00c);
    CHECK(f.pci.config_read(0x24, 4) == 0xffffffff);
    CHECK(f.pci.config_read(0x30, 4) == 0);
}

TEST_CASE("the class of a virtio function says what it is", "[virtio]") {
    struct Named final : VirtioDevice {
        explicit Named(std::uint32_t device_id) : id(device_id) {}
        std::string_view type() const noexcept override { return "named"; }
        std::uint32_t device_id() const noexcept override { return id; }
        std::uint64_t features() const noexcept override { return 0; }
        std::span<const std::uint16_t> queue_sizes() const noexcept override { return {}; }
        void read_config(std::uint64_t, std::span<std::byte>) noexcept override {}
        void write_config(std::uint64_t, ByteView) noexcept override {}
        bool activate(const VirtioActivation&) noexcept override { return true; }
        void deactivate() noexcept override {}
        void process_queue(unsigned) noexcept override {}
        void save(StateWriter&) const override {}
        void restore(StateReader&) override {}
        std::uint32_t id;
    };
    EchoFunction host;
    const auto class_of = [&host](std::uint32_t id) {
        VirtioPciDevice pci(std::make_unique<Named>(id), {.memory = host.memory,
                                                          .reactor = host.reactor,
                                                          .placer = host.placer,
                                                          .msis = host.msis});
        CHECK(pci.config_read(2, 2) == 0x1040 + id);
        return pci.config_read(8, 4) >> 8;
    };
    CHECK(class_of(1) == 0x020000);
    CHECK(class_of(2) == 0x010000);
    CHECK(class_of(3) == 0x078000);
    CHECK(class_of(4) == 0x00ff00);
}

TEST_CASE("virtio-pci negotiates and works through its queues", "[virtio]") {
    EchoFunction f;
    f.transport.switch_on();
    CHECK(f.driver.offered() == offered);
    CHECK(f.transport.offered(2) == 0);
    CHECK(f.transport.read16(0x12) == 2);
    CHECK(f.driver.queue_max_size(0) == 256);
    CHECK(f.driver.queue_max_size(1) == 64);
    CHECK(f.driver.queue_max_size(2) == 0);
    CHECK(f.driver.queue_max_size(0xffff) == 0);

    f.driver.start(5, {8, 16});
    CHECK(f.driver.status() == 15);
    REQUIRE(f.echo->active);
    CHECK(f.echo->active->features == (1ull << 32 | 5));
    CHECK(f.transport.read(0x0c) == 1); // the last word of driver features chosen
    for (const unsigned queue : {0u, 1u}) {
        const Chain chain = f.driver.queue(queue).chain().out("text").in(8).add();
        f.driver.queue(queue).kick();
        CHECK_FALSE(f.driver.queue(queue).take_used()); // never on the vCPU's thread
        f.reactor.run_until_idle();
        CHECK(f.driver.queue(queue).take_used() == UsedBuffer{chain.head, 4});
        CHECK(f.driver.text(chain.buffers[1], 4) == "text");
    }
    CHECK(f.driver.config<std::uint32_t>(0) == 0x04030201);
    CHECK(f.driver.config<std::uint8_t>(7) == 8);
    CHECK(f.driver.config<std::uint16_t>(100) == 0);
    f.transport.write_config(1, 2, 0xaabb);
    CHECK(f.driver.config<std::uint32_t>(0) == 0x04aabb01);

    SECTION("and is reset by status 0") {
        f.transport.choose_config_vector(1);
        f.driver.reset();
        CHECK(f.driver.status() == 0);
        CHECK(f.echo->deactivations == 1);
        CHECK(f.driver.queue_max_size(0) == 256);
        CHECK(f.transport.read16(0x1c) == 0);
        CHECK(f.transport.read16(0x10) == no_vector);
        CHECK(f.transport.read_isr() == 0);
        f.driver.start(0, {8});
        CHECK(f.echo->activations == 2);
    }
    SECTION("and refuses what was not offered") {
        f.driver.reset();
        CHECK_FALSE(f.driver.negotiate(2));
    }
}

TEST_CASE("virtio-pci's queue registers", "[virtio]") {
    EchoFunction f;
    f.transport.switch_on();
    REQUIRE(f.driver.negotiate(0));
    f.transport.write16(0x16, 1);
    CHECK(f.transport.read16(0x1e) == 1);
    f.transport.write16(0x18, 32);
    CHECK(f.transport.read16(0x18) == 32);
    for (const std::uint32_t impossible : {0u, 3u, 128u, 0x8000u}) {
        f.transport.write16(0x18, impossible);
        CHECK(f.transport.read16(0x18) == 32);
    }
    // Addresses in halves or at once.
    f.transport.write(0x20, 0x12345670);
    f.transport.write(0x24, 0x9);
    CHECK(f.transport.read_structure(f.transport.common, 0x20, 8) == 0x9'1234'5670);
    f.transport.write_structure(f.transport.common, 0x28, 8, 0x1'0000'2000);
    CHECK(f.transport.read(0x28) == 0x2000);
    CHECK(f.transport.read(0x2c) == 1);
    f.transport.write_structure(f.transport.common, 0x2c, 8, ~0ull); // two fields
    CHECK(f.transport.read(0x2c) == 1);
    f.transport.write16(0x1c, 0);
    CHECK(f.transport.read16(0x1c) == 0);
    f.transport.write16(0x1c, 2);
    CHECK(f.transport.read16(0x1c) == 0);
    CHECK(f.driver.status() == 11);
    f.transport.write16(0x1c, 1); // a ring outside RAM
    CHECK((f.driver.status() & 64) != 0);
    f.driver.reset();
    REQUIRE(f.driver.negotiate(0));
    f.driver.add_queue(8);
    f.transport.write16(0x16, 0);
    CHECK(f.transport.read16(0x1c) == 1);
    f.transport.write16(0x1c, 0); // no way back but a reset
    CHECK(f.transport.read16(0x1c) == 1);
    f.transport.write16(0x18, 4);
    CHECK(f.transport.read16(0x18) == 8);
}

TEST_CASE("virtio-pci fields take their own width only", "[virtio]") {
    EchoFunction f;
    f.transport.switch_on();
    const auto common = f.transport.common;
    CHECK(f.transport.read_structure(common, 0x12, 4) == 0xffffffff);
    CHECK(f.transport.read_structure(common, 0x12, 1) == 0xff);
    CHECK(f.transport.read_structure(common, 0x13, 1) == 0xff);
    CHECK(f.transport.read_structure(common, 0x14, 2) == 0xffff);
    CHECK(f.transport.read_structure(common, 0x10, 8) == ~0ull);
    CHECK(f.transport.read_structure(common, 0x02, 4) == 0xffffffff);
    // But for the low half of 32 bits, which is all that iPXE reads of the features.
    f.transport.write_structure(common, 0x00, 4, 1);
    CHECK(f.transport.read_structure(common, 0x04, 4) == 1); // VERSION_1
    CHECK(f.transport.read_structure(common, 0x04, 2) == 1);
    CHECK(f.transport.read_structure(common, 0x06, 2) == 0xffff);
    f.transport.write_structure(common, 0x00, 4, 0x12345678);
    CHECK(f.transport.read_structure(common, 0x00, 2) == 0x5678);
    f.transport.write_structure(common, 0x00, 2, 0);
    CHECK(f.transport.read_structure(common, 0x00, 4) == 0x12345678);
    f.transport.write_structure(common, 0x14, 4, 1);
    f.transport.write_structure(common, 0x13, 2, 0x100);
    f.transport.write_structure(common, 0x12, 4, 1 << 16);
    CHECK(f.driver.status() == 0);
    for (std::uint64_t offset = 0x38; offset < 0x40; ++offset) {
        f.transport.write_structure(common, offset, 1, 0xff);
        CHECK(f.transport.read_structure(common, offset, 1) == 0);
    }
}

TEST_CASE("without MSI-X, INTA and the ISR status tell", "[virtio]") {
    EchoFunction f;
    f.transport.switch_on();
    f.driver.start(0, {8, 8});
    f.echo_on(0);
    CHECK(f.line.level);
    CHECK((f.pci.config_read(6, 2) & 8) != 0);
    CHECK(f.msis.sent.empty());
    SECTION("reading acknowledges") {
        CHECK(f.transport.read_isr() == 1);
        CHECK_FALSE(f.line.level);
        CHECK((f.pci.config_read(6, 2) & 8) == 0);
        CHECK(f.transport.read_isr() == 0);
        f.echo->active->notifier.config_changed();
        f.echo_on(1);
        CHECK(f.line.level);
        CHECK(f.transport.read_isr() == 3);
        CHECK(f.transport.read_structure(f.transport.common, 0x15, 1) == 1);
    }
    SECTION("the guest may disable the pin") {
        f.pci.config_write(4, 2, 0x406);
        CHECK_FALSE(f.line.level);
        f.pci.config_write(4, 2, 6);
        CHECK(f.line.level);
    }
    SECTION("MSI-X silences the pin") {
        f.transport.enable_msix(true);
        CHECK_FALSE(f.line.level);
        f.transport.enable_msix(false);
        CHECK(f.line.level);
    }
    SECTION("the driver's reset releases it") {
        f.driver.reset();
        CHECK_FALSE(f.line.level);
    }
}

TEST_CASE("each queue has its MSI-X vector", "[virtio]") {
    EchoFunction f;
    f.switch_on_with_msix();
    CHECK(f.transport.choose_config_vector(0) == 0);
    f.driver.start(0, {8, 8});
    CHECK(f.transport.choose_queue_vector(0, 1) == 1);
    CHECK(f.transport.choose_queue_vector(1, 2) == 2);

    f.echo_on(1);
    f.echo_on(0);
    f.echo->active->notifier.config_changed();
    CHECK(f.sent() == std::vector<std::uint32_t>{0x42, 0x41, 0x40});
    CHECK(f.msis.sent[0].address == 0xfee00000);
    CHECK_FALSE(f.line.level);
    CHECK(f.transport.read_isr() == 2); // of the configuration alone

    SECTION("or none") {
        CHECK(f.transport.choose_queue_vector(0, no_vector) == no_vector);
        CHECK(f.transport.choose_queue_vector(1, 3) == no_vector); // there are three
        CHECK(f.transport.choose_config_vector(0x1000) == no_vector);
        CHECK(f.transport.choose_queue_vector(2, 0) == no_vector); // no such queue
        f.echo_on(0);
        f.echo_on(1);
        f.echo->active->notifier.config_changed();
        CHECK(f.msis.sent.size() == 3);
    }
    SECTION("which waits while it is masked") {
        f.transport.set_vector(1, 0x51, true);
        f.echo_on(0);
        CHECK(f.msis.sent.size() == 3);
        CHECK(f.pci.read(0, 0x800, 8) == 2); // pending
        f.transport.set_vector(1, 0x51);
        REQUIRE(f.msis.sent.size() == 4);
        CHECK(f.sent().back() == 0x51);
        CHECK(f.pci.read(0, 0x800, 8) == 0);
    }
    SECTION("or all together") {
        f.pci.config_write(f.transport.msix_capability + 2, 2, 0xc000);
        f.echo_on(0);
        f.echo_on(1);
        CHECK(f.msis.sent.size() == 3);
        f.transport.enable_msix(true);
        CHECK(f.msis.sent.size() == 5);
    }
}

TEST_CASE("without bus mastering the device stands still", "[virtio]") {
    EchoFunction f;
    f.switch_on_with_msix();
    f.driver.start(0, {8, 8});
    f.transport.choose_queue_vector(0, 1);
    f.transport.choose_config_vector(0);
    f.pci.config_write(4, 2, 2);
    f.echo_on(0);
    f.echo->active->notifier.config_changed();
    CHECK(f.driver.queue(0).used_index() == 0);
    CHECK(f.msis.sent.empty());
    SECTION("until the guest allows it again") {
        f.pci.config_write(4, 2, 6);
        f.reactor.run_until_idle();
        CHECK(f.driver.queue(0).used_index() == 1);
        CHECK(f.sent() == std::vector<std::uint32_t>{0x41});
    }
    SECTION("whatever the machine does") {
        f.pci.pause();
        f.pci.resume();
        f.reactor.run_until_idle();
        CHECK(f.driver.queue(0).used_index() == 0);
        f.pci.pause();
        f.pci.config_write(4, 2, 6);
        f.reactor.run_until_idle();
        CHECK(f.driver.queue(0).used_index() == 0);
        f.pci.resume();
        f.reactor.run_until_idle();
        CHECK(f.driver.queue(0).used_index() == 1);
    }
}

TEST_CASE("each queue has a doorbell that follows the BAR", "[virtio]") {
    EchoFunction f;
    REQUIRE(f.pci.doorbells().size() == 2);
    FakeDoorbells registry;
    Bus bus;
    Placements placements(bus, &registry, nullptr);
    VirtioPciDevice pci(
        std::make_unique<VirtioEcho>(),
        {.memory = f.memory, .reactor = f.reactor, .placer = placements, .msis = f.msis});
    PciTransport transport(pci);
    CHECK(registry.bells.empty());
    transport.switch_on();
    const int fd0 = pci.doorbells()[0].event_fd, fd1 = pci.doorbells()[1].event_fd;
    const std::uint64_t base = PciTransport::structures_base + notify_at;
    CHECK(registry.bells ==
          std::vector<FakeDoorbells::Bell>{{false, base, 2, 0, fd0}, {false, base + 4, 2, 1, fd1}});
    pci.config_write(0x20, 4, 0xf0000000);
    pci.config_write(0x24, 4, 0);
    CHECK(registry.bells == std::vector<FakeDoorbells::Bell>{{false, 0xf0003000, 2, 0, fd0},
                                                             {false, 0xf0003004, 2, 1, fd1}});
    pci.config_write(4, 2, 4);
    CHECK(registry.bells.empty());
}

TEST_CASE("kicks by eventfd and by doorbell are the same over PCI", "[virtio]") {
    EchoFunction f;
    f.transport.switch_on();
    CHECK(f.placer.where(f.pci, 0) == PciTransport::msix_base);
    CHECK(f.placer.where(f.pci, 1) == PciTransport::structures_base);
    f.driver.start(0, {8, 8});
    f.driver.queue(1).chain().out("a").add();
    REQUIRE(::eventfd_write(f.pci.doorbells()[1].event_fd, 1) == 0);
    f.reactor.run_until_idle();
    CHECK(f.driver.queue(1).used_index() == 1);
    const unsigned processed = f.echo->processed;
    f.pci.write(1, notify_at + 8, 2, 0);     // there is no third queue
    f.pci.write(1, notify_at + 0xffc, 4, 0); // far away
    f.pci.write(1, notify_at + 2, 2, 0);     // between two
    f.pci.write(1, notify_at, 1, 0);         // half a register
    CHECK(f.reactor.run_until_idle() == 0);
    CHECK(f.echo->processed == processed);
    CHECK(f.pci.read(1, notify_at, 2) == 0);
}

TEST_CASE("the window in configuration space reaches the structures", "[virtio]") {
    EchoFunction f;
    f.pci.config_write(4, 2, 4); // memory decoding off: this is what the window is for
    const unsigned cap = f.transport.window->capability;
    const auto aim = [&](unsigned bar, std::uint32_t offset, std::uint32_t width) {
        f.pci.config_write(cap + 4, 1, bar);
        f.pci.config_write(cap + 8, 4, offset);
        f.pci.config_write(cap + 12, 4, width);
    };
    aim(4, 0x12, 2);
    CHECK(f.pci.config_read(cap + 16, 2) == 2);
    aim(4, 0x14, 1);
    f.pci.config_write(cap + 16, 1, 3);
    CHECK(f.pci.config_read(cap + 16, 1) == 3);
    CHECK(f.driver.status() == 3);
    aim(4, 0x2000, 4);
    CHECK(f.pci.config_read(cap + 16, 4) == 0x04030201);
    aim(1, 8, 4);
    f.pci.config_write(cap + 16, 4, 0x1234);
    CHECK(f.pci.read(0, 8, 4) == 0x1234);

    SECTION("and nothing else") {
        const std::uint32_t writes[][3] = {{0, 0x14, 1},       {2, 0x14, 1},   {255, 0x14, 1},
                                           {4, 0x14, 0},       {4, 0x14, 3},   {4, 0x14, 8},
                                           {4, 0x4000, 1},     {4, 0x3ffe, 4}, {4, 0xffffffff, 1},
                                           {1, 0xfffffffc, 4}, {4, 0x13, 2}};
        for (const auto& [bar, offset, width] : writes) {
            aim(bar, offset, width);
            f.pci.config_write(cap + 16, 4, 0);
            f.pci.config_read(cap + 16, 4);
        }
        CHECK(f.driver.status() == 3);
    }
    SECTION("even the ISR status, which a read clears") {
        f.transport.switch_on();
        f.driver.start(0, {8});
        f.echo_on(0);
        aim(4, 0x1000, 1);
        CHECK(f.pci.config_read(cap + 16, 1) == 1);
        CHECK_FALSE(f.line.level);
        CHECK(f.pci.config_read(cap + 16, 1) == 0);
    }
}

TEST_CASE("a machine reset takes the whole function back", "[virtio]") {
    EchoFunction f;
    f.switch_on_with_msix();
    f.driver.start(0, {8});
    f.transport.choose_queue_vector(0, 1);
    f.transport.enable_msix(false);
    f.echo_on(0);
    REQUIRE(f.line.level);
    f.pci.pause();
    f.pci.reset();
    f.pci.resume();
    CHECK_FALSE(f.line.level);
    CHECK_FALSE(f.placer.where(f.pci, 1));
    CHECK(f.pci.config_read(4, 2) == 0);
    CHECK(f.pci.config_read(0x20, 4) == 0xc);
    CHECK(f.driver.status() == 0);
    CHECK(f.pci.read(0, 28, 4) == 1); // vector 1 is masked again
    CHECK(f.transport.choose_queue_vector(0, 1) == 1);
}

TEST_CASE("a saved virtio function goes on elsewhere", "[virtio]") {
    EchoFunction from, to;
    from.switch_on_with_msix();
    from.driver.start(0, {8, 8});
    from.transport.choose_queue_vector(1, 2);
    from.pci.pause();
    from.driver.queue(1).chain().out("a").add();
    StateWriter writer;
    from.pci.save(writer);
    to.memory.write(Gpa(0), from.memory.range(Gpa(0), MiB));

    StateReader reader(writer.bytes());
    to.pci.restore(reader);
    CHECK(reader.at_end());
    CHECK(to.placer.where(to.pci, 1) == PciTransport::structures_base);
    to.pci.start();
    to.reactor.run_until_idle();
    CHECK(to.sent() == std::vector<std::uint32_t>{0x42});
    CHECK(to.transport.status() == 15);

    SECTION("but not another one") {
        EchoFunction other;
        auto damaged = writer.bytes();
        damaged.resize(damaged.size() - 1);
        StateReader short_reader(damaged);
        CHECK_THROWS_AS(other.pci.restore(short_reader), Error);
        CHECK(other.pci.config_read(4, 2) == 0);
        CHECK(other.transport.status() == 0);
        CHECK_FALSE(other.placer.where(other.pci, 1));
    }
}

TEST_CASE("an option ROM stands in the ROM BAR under the function's own name", "[virtio]") {
    const std::uint8_t code_type = GENERATE(std::uint8_t{0}, std::uint8_t{3});
    EchoFunction f(rom_image(code_type));
    f.pci.config_write(0x30, 4, 0xfffff800);
    CHECK(f.pci.config_read(0x30, 4) == 0xfffff000);
    f.pci.config_write(0x30, 4, 0xfeb00001);
    f.pci.config_write(4, 2, 2);
    CHECK(f.placer.where(f.pci, 2) == 0xfeb00000);
    CHECK(f.pci.regions()[2].memory_access == MemoryAccess::read_only);
    CHECK(reinterpret_cast<std::uintptr_t>(f.pci.regions()[2].memory) % 4096 == 0);
    CHECK(f.pci.read(2, 0, 2) == 0xaa55);
    CHECK(f.pci.read(2, 0x44, 4) == 0x107f1af4);
    CHECK(f.pci.read(2, 1024, 8) == ~0ull);
    f.pci.write(2, 0, 2, 0);
    CHECK(f.pci.read(2, 0, 2) == 0xaa55);
    unsigned before = 0, after = 0;
    for (unsigned i = 0; i < 1024; ++i) {
        before += std::to_integer<unsigned>(rom_image(code_type)[i]);
        after += static_cast<unsigned>(f.pci.read(2, i, 1));
    }
    // A BIOS image must still add up; others have no checksum, and byte 6 is theirs.
    if (code_type == 0)
        CHECK(before % 256 == after % 256);
    CHECK((f.pci.read(2, 6, 1) != 0) == (code_type == 0));
}

TEST_CASE("what is no option ROM is refused", "[virtio]") {
    CHECK_THROWS_AS(OptionRom(std::vector<std::byte>(4096), 1, 2), Error);
    CHECK_THROWS_AS(OptionRom(std::vector<std::byte>(1), 1, 2), Error);
    // Pointers that lead out of it change nothing.
    auto rom = rom_image(0);
    store_le<std::uint16_t>(std::span<std::byte>(rom), 0x18, 0xfff0);
    const OptionRom wild(rom, 1, 2);
    CHECK(std::equal(rom.begin(), rom.end(), wild.memory()));
    CHECK(OptionRom().empty());
}
