// PciFunction and PciBus as a guest's enumeration and a driver meet them.
#include "devices/core/pci/pci_bus.h"
#include "devices/core/pci/pci_function.h"
#include "tests/fakes/fake_pci.h"
#include "tests/fakes/fakes.h"
#include "vmm/base/error.h"

#include <array>
#include <catch2/catch.hpp>

using namespace coldstart;

namespace {

constexpr std::uint32_t command = 0x04, status = 0x06;
constexpr std::uint16_t io_enable = 1, memory_enable = 2, intx_disable = 1 << 10;

constexpr PciIdentity test_identity{.vendor_id = 0x1234,
                                    .device_id = 0x5678,
                                    .revision = 3,
                                    .class_code = 0x010601,
                                    .subsystem_vendor_id = 0x1af4,
                                    .subsystem_id = 0x1100,
                                    .interrupt_pin = 2};

/// One BAR of each kind, two capabilities, a register that a write of one clears.
class TestFunction final : public PciFunction {
  public:
    TestFunction(RegionPlacer& placer, IrqLine* line) : PciFunction(test_identity, placer, line) {
        io = add_bar(0, BarKind::io, {"io", BusKind::pio, 32});
        memory32 = add_bar(1, BarKind::memory32, {"memory32", BusKind::mmio, 4096});
        memory64 = add_bar(2, BarKind::memory64, {"memory64", BusKind::mmio, 8ull << 30});
        prefetchable =
            add_bar(4, BarKind::memory32_prefetchable, {"prefetchable", BusKind::mmio, 16});
        rom = add_bar(
            rom_bar, BarKind::rom,
            {"rom", BusKind::mmio, rom_bytes.size(), rom_bytes.data(), MemoryAccess::read_only});
        vendor_capability = add_capability(0x09, 6);
        power_capability = add_capability(0x01, 8, 0x60);
        define(0x90, 4, 0x11223344, 0x0000ff00);
        define(0x94, 2, 0x00ff);
        define_write_one_to_clear(0x94, 2, 0x000f);
    }

    std::string_view type() const noexcept override { return "test-function"; }
    std::uint64_t read(unsigned, std::uint64_t, unsigned width) noexcept override {
        return all_ones(width);
    }
    void write(unsigned, std::uint64_t, unsigned, std::uint64_t) noexcept override {}
    void reset() override { reset_config(); }
    void save(StateWriter& writer) const override { save_config(writer); }
    void restore(StateReader& reader) override { restore_config(reader); }

    using PciFunction::set_intx;

    alignas(4096) std::array<std::byte, 8192> rom_bytes{};
    unsigned io = 0, memory32 = 0, memory64 = 0, prefetchable = 0, rom = 0;
    unsigned vendor_capability = 0, power_capability = 0;
};

struct Slot {
    std::uint32_t get(unsigned offset, unsigned width = 4) {
        return function.config_read(offset, width);
    }
    void set(unsigned offset, unsigned width, std::uint32_t value) {
        function.config_write(offset, width, value);
    }
    /// What firmware does: all ones, and back.
    std::uint32_t sized(unsigned offset) {
        const std::uint32_t before = get(offset);
        set(offset, 4, 0xffffffff);
        const std::uint32_t answer = get(offset);
        set(offset, 4, before);
        return answer;
    }
    std::optional<std::uint64_t> where(unsigned region) { return placer.where(function, region); }
    std::vector<std::byte> saved() const {
        StateWriter writer;
        function.save(writer);
        return writer.bytes();
    }
    void restore(std::vector<std::byte> bytes) {
        StateReader reader(bytes);
        function.restore(reader);
        CHECK(reader.at_end());
    }

    fakes::FakePlacer placer;
    fakes::FakeIrqLine line;
    TestFunction function{placer, &line};
};

} // namespace

TEST_CASE("PCI function: who it is, and that nobody can change it", "[pci]") {
    Slot slot;
    const auto looks_right = [&] {
        CHECK(slot.get(0x00) == 0x56781234);
        CHECK(slot.get(0x08) == 0x01060103);
        CHECK(slot.get(0x0e, 1) == 0);
        CHECK(slot.get(0x2c) == 0x11001af4);
        CHECK(slot.get(0x3d, 1) == 2);
        CHECK(slot.get(0x100) == 0); // no extended capabilities
    };
    looks_right();
    for (const unsigned offset : {0x00u, 0x08u, 0x0cu, 0x2cu, 0x3cu, 0x100u})
        slot.set(offset, 4, 0xa5a5a5a5);
    looks_right();
    CHECK(slot.get(0x0c, 1) == 0xa5); // cache line size
    CHECK(slot.get(0x3c, 1) == 0xa5); // interrupt line
}

TEST_CASE("PCI function: accesses that no bus makes do nothing", "[pci]") {
    Slot slot;
    CHECK(slot.get(0x3, 2) == 0xffff);
    CHECK(slot.get(0x2, 4) == 0xffffffff);
    CHECK(slot.get(0x0, 3) == 0xffffff);
    CHECK(slot.get(4096, 1) == 0xff);
    slot.set(0x3b, 4, 0xffffffff);
    slot.set(0x1000, 4, 0xffffffff);
    CHECK(slot.get(0x3c, 1) == 0);
}

TEST_CASE("PCI function: each kind of BAR tells its size", "[pci]") {
    Slot slot;
    CHECK(slot.sized(0x10) == 0xffffffe1);
    CHECK(slot.sized(0x14) == 0xfffff000);
    CHECK(slot.sized(0x18) == 0x0000000c); // 8 GiB: all its bits are in the upper half
    CHECK(slot.sized(0x1c) == 0xfffffffe);
    CHECK(slot.sized(0x20) == 0xfffffff8);
    CHECK(slot.sized(0x24) == 0);
    CHECK(slot.sized(0x30) == 0xffffe001);
    CHECK(slot.placer.places.empty());
}

TEST_CASE("PCI function: BARs stand where the guest puts them, while decoding is on", "[pci]") {
    Slot slot;
    slot.set(0x10, 4, 0xc001);
    slot.set(0x14, 4, 0xfebf0000);
    slot.set(0x18, 4, 0x0000000c);
    slot.set(0x1c, 4, 0x10);
    slot.set(0x30, 4, 0xfeb00001);
    CHECK(slot.placer.places.empty());

    slot.set(command, 2, io_enable);
    CHECK(slot.where(slot.function.io) == 0xc000);
    CHECK_FALSE(slot.where(slot.function.memory32));

    slot.set(command, 2, memory_enable);
    CHECK_FALSE(slot.where(slot.function.io));
    CHECK(slot.where(slot.function.memory32) == 0xfebf0000);
    CHECK(slot.where(slot.function.memory64) == 0x10'0000'0000);
    CHECK_FALSE(slot.where(slot.function.prefetchable)); // at 0: never set
    CHECK(slot.where(slot.function.rom) == 0xfeb00000);

    slot.set(0x30, 4, 0xfeb00000); // its own enable bit
    CHECK_FALSE(slot.where(slot.function.rom));
    slot.set(0x16, 2, 0xfebe); // half a register moves it, too
    CHECK(slot.where(slot.function.memory32) == 0xfebe0000);
    slot.set(0x14, 4, 0xffffffff); // sizing with decoding on
    CHECK_FALSE(slot.where(slot.function.memory32));
    slot.set(0x14, 4, 0xfebd0000);
    CHECK(slot.where(slot.function.memory32) == 0xfebd0000);
}

TEST_CASE("PCI function: ports above 64 K are nowhere", "[pci]") {
    Slot slot;
    slot.set(command, 2, io_enable);
    slot.set(0x10, 4, 0x1c000);
    CHECK_FALSE(slot.where(slot.function.io));
    slot.set(0x10, 4, 0xc000);
    CHECK(slot.where(slot.function.io) == 0xc000);
}

TEST_CASE("PCI function: a BAR in a taken place is nowhere until it is moved", "[pci]") {
    Slot slot;
    slot.set(command, 2, memory_enable);
    slot.placer.refuse = true;
    slot.set(0x14, 4, 0xfebf0000);
    CHECK_FALSE(slot.where(slot.function.memory32));
    CHECK(slot.get(0x14) == 0xfebf0000); // the register says what was written all the same
    slot.placer.refuse = false;
    slot.set(0x14, 4, 0xfebe0000);
    CHECK(slot.where(slot.function.memory32) == 0xfebe0000);
}

TEST_CASE("PCI function: the command register keeps what it has", "[pci]") {
    Slot slot;
    CHECK_FALSE(slot.function.is_bus_master());
    slot.set(command, 2, 0xffff);
    CHECK(slot.get(command, 2) == 0x0547);
    CHECK(slot.function.is_bus_master());
    slot.set(command, 1, 0);
    CHECK(slot.get(command, 2) == 0x0500);
    CHECK_FALSE(slot.function.is_bus_master());
}

TEST_CASE("PCI function: INTx, its disable bit and its status bit", "[pci]") {
    Slot slot;
    slot.function.set_intx(true);
    CHECK(slot.line.level);
    CHECK((slot.get(status, 2) & 8) == 8);
    CHECK((slot.get(command, 4) >> 16 & 8) == 8);
    CHECK((slot.get(status + 1, 1) & 8) == 0); // the upper byte has no such bit

    slot.set(command, 2, intx_disable);
    CHECK_FALSE(slot.line.level);
    CHECK((slot.get(status, 2) & 8) == 8); // of the condition, not of the pin
    slot.set(command, 2, 0);
    CHECK(slot.line.level);

    slot.function.set_intx(false);
    CHECK_FALSE(slot.line.level);
    CHECK((slot.get(status, 2) & 8) == 0);
}

TEST_CASE("PCI function: capabilities form a list", "[pci]") {
    Slot slot;
    CHECK((slot.get(status, 2) & 0x10) == 0x10);
    REQUIRE(slot.get(0x34, 1) == 0x40);
    CHECK(slot.get(0x40, 2) == 0x6009);
    CHECK(slot.get(0x60, 2) == 0x0001); // the end of the list
    CHECK(slot.function.vendor_capability == 0x40);
    CHECK(slot.function.power_capability == 0x60);
    slot.set(0x40, 4, 0xffffffff);
    slot.set(0x34, 4, 0);
    CHECK(slot.get(0x40) == 0x6009);
    CHECK(slot.get(0x34, 1) == 0x40);
}

TEST_CASE("PCI function: bits that are written, read-only, or cleared by a one", "[pci]") {
    Slot slot;
    slot.set(0x90, 4, 0xffffffff);
    CHECK(slot.get(0x90) == 0x1122ff44);
    slot.set(0x90, 1, 0);
    CHECK(slot.get(0x90) == 0x1122ff44);
    slot.set(0x94, 2, 0x0000);
    CHECK(slot.get(0x94, 2) == 0x00ff);
    slot.set(0x94, 2, 0xfff3);
    CHECK(slot.get(0x94, 2) == 0x00fc);
}

TEST_CASE("PCI function: reset", "[pci]") {
    Slot slot;
    slot.function.set_multifunction();
    const std::vector<std::byte> fresh = slot.saved();
    slot.set(0x14, 4, 0xfebf0000);
    slot.set(command, 2, 7);
    slot.set(0x90, 4, 0);
    slot.set(0x94, 2, 0xf);
    slot.function.set_intx(true);
    slot.function.reset();
    CHECK(slot.saved() == fresh);
    CHECK(slot.placer.places.empty());
    CHECK_FALSE(slot.line.level);
    CHECK_FALSE(slot.function.is_bus_master());
    CHECK(slot.get(0x0e, 1) == 0x80); // how it is built, not how it is set
}

TEST_CASE("PCI function: a saved state places BARs and drives the pin", "[pci]") {
    Slot slot, other;
    slot.set(0x14, 4, 0xfebf0000);
    slot.set(command, 2, 7);
    slot.set(0x94, 2, 0x3);
    slot.function.set_intx(true);
    slot.get(status, 2);
    other.restore(slot.saved());
    CHECK(other.where(other.function.memory32) == 0xfebf0000);
    CHECK(other.line.level);
    CHECK(other.function.is_bus_master());
    CHECK(other.get(0x94, 2) == 0x00fc);
    CHECK(other.saved() == slot.saved());
}

TEST_CASE("PCI function: a saved state can't make it another function", "[pci]") {
    Slot slot;
    std::vector<std::byte> bytes = slot.saved();
    const std::size_t config = bytes.size() - PciFunction::config_bytes - 1;
    for (std::size_t i = 0; i < PciFunction::config_bytes; ++i)
        bytes[config + i] = std::byte{0xff};
    slot.restore(bytes);
    CHECK(slot.get(0x00) == 0x56781234);
    CHECK(slot.get(0x08) == 0x01060103);
    CHECK(slot.get(0x0e, 1) == 0);
    CHECK(slot.get(0x34, 1) == 0x40);
    CHECK(slot.get(0x40, 2) == 0x6009);
    CHECK(slot.get(0x10) == 0xffffffe1);
    CHECK(slot.get(command, 2) == 0x0547);
    CHECK(slot.get(0x90) == 0x1122ff44);
    CHECK(slot.get(0x100) == 0);
    CHECK(slot.placer.places.empty()); // every BAR as while it is sized
}

TEST_CASE("PCI bus: functions answer at their address only", "[pci]") {
    Slot slot, sibling;
    PciBus bus;
    bus.add({.device = 3, .function = 1}, sibling.function);
    CHECK(sibling.get(0x0e, 1) == 0);
    bus.add({.device = 3, .function = 0}, slot.function);
    CHECK(slot.get(0x0e, 1) == 0x80); // whichever came first
    CHECK_THROWS_AS(bus.add({.device = 3, .function = 0}, slot.function), Error);

    CHECK(bus.config_read(0, {.device = 3, .function = 0}, 0, 4) == 0x56781234);
    CHECK(bus.config_read(0, {.device = 3, .function = 2}, 0, 4) == 0xffffffff);
    CHECK(bus.config_read(1, {.device = 3, .function = 0}, 0, 2) == 0xffff);
    bus.config_write(1, {.device = 3, .function = 0}, 0x3c, 1, 9);
    CHECK(slot.get(0x3c, 1) == 0);
    bus.config_write(0, {.device = 3, .function = 0}, 0x3c, 1, 9);
    CHECK(slot.get(0x3c, 1) == 9);
    bus.remove({.device = 3, .function = 0});
    CHECK(bus.find({.device = 3, .function = 0}) == nullptr);
}

TEST_CASE("PCI bus: pins turn through the PIRQs, and those that meet are OR-ed", "[pci]") {
    struct Sink final : PirqSink {
        void set_pirq(unsigned pirq, bool asserted) noexcept override {
            levels[pirq] = asserted;
            ++changes;
        }
        std::array<bool, pirq_count> levels{};
        unsigned changes = 0;
    } sink;
    PciBus bus;
    bus.set_pirq_sink(&sink);
    const auto turns_to = [&](std::uint8_t device, unsigned pin, unsigned pirq) {
        const auto line = bus.connect_intx({.device = device}, pin);
        line->set_level(true);
        for (unsigned i = 0; i < pirq_count; ++i)
            CHECK(sink.levels[i] == (i == pirq));
    };
    turns_to(1, 0, 5);
    turns_to(1, 3, 4);
    turns_to(2, 0, 6);
    turns_to(31, 0, 0);
    turns_to(31, 3, 3);
    for (const bool level : sink.levels)
        CHECK_FALSE(level); // a line that goes away lets go of its pin

    const auto one = bus.connect_intx({.device = 1}, 0);
    const auto same = bus.connect_intx({.device = 5}, 0);
    sink.changes = 0;
    one->set_level(true);
    same->set_level(true);
    same->set_level(true);
    one->set_level(false);
    CHECK(sink.levels[5]);
    CHECK(sink.changes == 1);
    same->set_level(false);
    CHECK_FALSE(sink.levels[5]);
    CHECK(sink.changes == 2);
}
