#include "tests/fakes/fake_device.h"
#include "vmm/base/error.h"
#include "vmm/machine/bus.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace coldstart;
using fakes::FakeDevice;

namespace {

std::unique_ptr<FakeDevice> device_with(std::vector<RegionShape> regions) {
    auto device = std::make_unique<FakeDevice>();
    device->region_shapes = std::move(regions);
    return device;
}

std::uint64_t read(Bus& bus, BusKind kind, std::uint64_t address, unsigned width) {
    std::uint64_t value = 0x5555555555555555;
    bus.read(kind, address, width, value);
    return value;
}

/// Answers every access with the region it was told, and the offset.
class WhereDevice final : public Device {
  public:
    explicit WhereDevice(std::uint64_t size_bytes)
        : shape_{{"window", BusKind::mmio, size_bytes}} {}
    std::string_view type() const noexcept override { return "where"; }
    std::span<const RegionShape> regions() const noexcept override { return shape_; }
    std::uint64_t read(unsigned, std::uint64_t offset, unsigned) noexcept override {
        reads.fetch_add(1, std::memory_order_relaxed);
        return offset;
    }
    void write(unsigned, std::uint64_t, unsigned, std::uint64_t) noexcept override {}
    void reset() override {}
    void save(StateWriter&) const override {}
    void restore(StateReader&) override {}

    std::atomic<unsigned> reads = 0;

  private:
    std::vector<RegionShape> shape_;
};

} // namespace

/// Says how it was asked.
class SmmDevice final : public Device {
  public:
    std::string_view type() const noexcept override { return "smm"; }
    std::span<const RegionShape> regions() const noexcept override { return {&shape_, 1}; }
    std::uint64_t read(unsigned, std::uint64_t, unsigned) noexcept override { return 1; }
    std::uint64_t read_in_smm(unsigned, std::uint64_t offset, unsigned) noexcept override {
        return 0x1000 + offset;
    }
    void write(unsigned, std::uint64_t, unsigned, std::uint64_t value) noexcept override {
        normal = value;
    }
    void write_in_smm(unsigned, std::uint64_t, unsigned, std::uint64_t value) noexcept override {
        in_smm = value;
    }
    void reset() override {}
    void save(StateWriter&) const override {}
    void restore(StateReader&) override {}

    std::uint64_t normal = 0, in_smm = 0;

  private:
    RegionShape shape_{"window", BusKind::mmio, 0x1000};
};

TEST_CASE("a device can tell accesses of system management mode from others", "[bus]") {
    Bus bus;
    SmmDevice device;
    bus.add(device, 0, 0x1000);
    std::uint64_t value = 0;
    CHECK(bus.read(BusKind::mmio, 0x1008, 4, value));
    CHECK(value == 1);
    CHECK(bus.read(BusKind::mmio, 0x1008, 4, value, true));
    CHECK(value == 0x1008);
    CHECK(bus.write(BusKind::mmio, 0x1000, 2, 0x12345));
    CHECK(bus.write(BusKind::mmio, 0x1000, 4, 7, true));
    CHECK(device.normal == 0x2345);
    CHECK(device.in_smm == 7);
    CHECK(bus.read(BusKind::mmio, 0x1000, 3, value, true)); // byte by byte
    CHECK(value == 0x020100);

    const auto plain = device_with({{"a", BusKind::pio, 8}}); // one to which it is the same
    bus.add(*plain, 0, 0xb0);
    CHECK(bus.write(BusKind::pio, 0xb2, 1, 9, true));
    CHECK(plain->writes.back() == FakeDevice::Access{0, 2, 1, 9});
}

TEST_CASE("accesses reach the region they lie in, by offset", "[bus]") {
    Bus bus;
    const auto device =
        device_with({{"a", BusKind::pio, 8}, {"b", BusKind::mmio, 0x1000}, {"c", BusKind::pio, 1}});
    bus.add(*device, 0, 0x3f8);
    bus.add(*device, 1, 0xd0000000);
    bus.add(*device, 2, 0x3f7);
    device->answer = 0x40;

    CHECK(read(bus, BusKind::pio, 0x3f8, 1) == 0x40);
    CHECK(read(bus, BusKind::pio, 0x3ff, 1) == 0x47);
    CHECK(read(bus, BusKind::pio, 0x3f7, 1) == 0x60);
    CHECK(read(bus, BusKind::mmio, 0xd0000100, 4) == 0x150);
    CHECK(read(bus, BusKind::mmio, 0xd0000ff8, 8) == 0x1048);
    CHECK(bus.write(BusKind::mmio, 0xd0000050, 4, 0xabcdef0123456789));
    CHECK(device->writes == std::vector<FakeDevice::Access>{{1, 0x50, 4, 0x23456789}});
    // The two address spaces do not see one another.
    CHECK(read(bus, BusKind::mmio, 0x3f8, 1) == 0xff);
    CHECK(read(bus, BusKind::pio, 0xd0000000, 4) == 0xffffffff);
}

TEST_CASE("an access nobody claims wholly reads all ones and writes nothing", "[bus]") {
    Bus bus;
    const auto device = device_with({{"a", BusKind::pio, 8}});
    bus.add(*device, 0, 0x3f8);
    std::uint64_t value = 0;

    for (const unsigned width : {1u, 2u, 4u, 8u}) {
        CHECK_FALSE(bus.read(BusKind::pio, 0x500, width, value));
        CHECK(value == all_ones(width));
        CHECK_FALSE(bus.write(BusKind::pio, 0x500, width, 0));
    }
    // Over the end, and from below into it.
    CHECK_FALSE(bus.read(BusKind::pio, 0x3fe, 4, value));
    CHECK(value == 0xffffffff);
    CHECK_FALSE(bus.write(BusKind::pio, 0x3ff, 2, 0));
    CHECK_FALSE(bus.read(BusKind::pio, 0x3f7, 2, value));
    CHECK(value == 0xffff);
    CHECK(bus.read(BusKind::pio, 0x3fe, 2, value));
    CHECK(device->writes.empty());
}

TEST_CASE("odd widths go byte by byte, each on its own", "[bus]") {
    Bus bus;
    const auto device = device_with({{"a", BusKind::mmio, 0x10}});
    bus.add(*device, 0, 0x1000);
    device->answer = 0x20;
    std::uint64_t value = 0;

    CHECK(bus.read(BusKind::mmio, 0x1001, 3, value));
    CHECK(value == 0x232221);
    CHECK_FALSE(bus.read(BusKind::mmio, 0x100e, 3, value)); // the third byte is nobody's
    CHECK(value == 0xff2f2e);
    CHECK_FALSE(bus.write(BusKind::mmio, 0x100d, 5, 0x0504030201));
    CHECK(device->writes ==
          std::vector<FakeDevice::Access>{{0, 0xd, 1, 1}, {0, 0xe, 1, 2}, {0, 0xf, 1, 3}});
    CHECK(bus.read(BusKind::mmio, 0x1000, 0, value));
    CHECK(value == 0);
    CHECK(bus.read(BusKind::mmio, 0x1000, 200, value)); // no more than the eight there can be
    CHECK(value == 0x2726252423222120);
}

TEST_CASE("regions at the ends of the address spaces do not wrap", "[bus]") {
    Bus bus;
    const auto device = device_with({{"m", BusKind::mmio, 0x1000}, {"p", BusKind::pio, 2}});
    bus.add(*device, 0, ~0ull - 0xfff);
    bus.add(*device, 1, 0xfffe);
    std::uint64_t value = 0;
    CHECK(bus.read(BusKind::mmio, ~0ull, 1, value));
    CHECK_FALSE(bus.read(BusKind::mmio, ~0ull, 2, value));
    CHECK(bus.read(BusKind::pio, 0xfffe, 2, value));
    CHECK_FALSE(bus.read(BusKind::pio, 0xffff, 2, value));

    const auto far =
        device_with({{"m", BusKind::mmio, 2}, {"p", BusKind::pio, 2}, {"none", BusKind::pio, 0}});
    CHECK_THROWS_AS(bus.add(*far, 0, ~0ull), Error);
    CHECK_THROWS_AS(bus.add(*far, 1, 0xffff), Error);
    CHECK_THROWS_AS(bus.add(*far, 1, 0x10000), Error);
    CHECK_THROWS_AS(bus.add(*far, 2, 0x100), Error);
    CHECK_FALSE(bus.move(BusKind::pio, 0xfffe, 0xffff));
    CHECK_FALSE(bus.move(BusKind::mmio, ~0ull - 0xfff, ~0ull - 0xffe));
    CHECK(bus.read(BusKind::pio, 0xfffe, 2, value));
}

TEST_CASE("overlap is refused with both sides named", "[bus]") {
    Bus bus;
    const auto device = device_with({{"registers", BusKind::pio, 8}});
    const auto other = device_with({{"index", BusKind::pio, 4}});
    other->type_name = "intruder";
    bus.add(*device, 0, 0x3f8);
    for (const std::uint64_t base : {0x3f5u, 0x3f8u, 0x3fau, 0x3ffu}) {
        CAPTURE(base);
        CHECK_THROWS_WITH(bus.add(*other, 0, base), Catch::Contains("intruder \"index\"") &&
                                                        Catch::Contains("fake \"registers\"") &&
                                                        Catch::Contains("0x3f8-0x3ff"));
        CHECK_FALSE(bus.try_add(*other, 0, base));
    }
    bus.add(*other, 0, 0x3f4);
    CHECK(bus.try_add(*other, 0, 0x400));
}

TEST_CASE("regions come, move and go at run time", "[bus]") {
    Bus bus;
    const auto device = device_with({{"bar", BusKind::mmio, 0x1000}});
    const auto wall = device_with({{"wall", BusKind::mmio, 0x1000}});
    bus.add(*device, 0, 0x10000);
    bus.add(*wall, 0, 0x20000);
    std::uint64_t value = 0;

    CHECK(bus.move(BusKind::mmio, 0x10000, 0x10800)); // over itself
    CHECK(bus.move(BusKind::mmio, 0x10800, 0x30000)); // past the other
    CHECK_FALSE(bus.read(BusKind::mmio, 0x10800, 4, value));
    CHECK(bus.read(BusKind::mmio, 0x30010, 4, value));
    CHECK(value == 0x10);

    CHECK_FALSE(bus.move(BusKind::mmio, 0x30000, 0x1f001));
    CHECK_FALSE(bus.move(BusKind::mmio, 0x12345, 0x50000));
    CHECK(bus.read(BusKind::mmio, 0x30000, 4, value));

    CHECK(bus.remove(BusKind::mmio, 0x30000));
    CHECK_FALSE(bus.remove(BusKind::mmio, 0x30000));
    CHECK_FALSE(bus.remove(BusKind::pio, 0x20000));
    CHECK_FALSE(bus.read(BusKind::mmio, 0x30000, 4, value));
    CHECK(bus.read(BusKind::mmio, 0x20000, 4, value));
}

TEST_CASE("a full bus says so and goes on", "[bus]") {
    Bus bus;
    const auto device = device_with({{"port", BusKind::pio, 1}});
    for (unsigned i = 0; i < RegionTable::capacity; ++i)
        bus.add(*device, 0, (i * 7) % RegionTable::capacity); // not in order
    CHECK_THROWS_WITH(bus.add(*device, 0, 0x1000), Catch::Contains("full"));
    for (unsigned i = 0; i < RegionTable::capacity; ++i)
        CHECK(read(bus, BusKind::pio, i, 1) == 0);
    CHECK(bus.remove(BusKind::pio, 17));
    CHECK_NOTHROW(bus.add(*device, 0, 0x1000));
}

TEST_CASE("readers run while regions move, and see one place or the other", "[bus]") {
    // `still` never moves and is always found; `moving` hops between two places, past `still`.
    // Both answer with the offset, so an entry torn between two places shows as a wrong answer.
    constexpr std::uint64_t places[] = {0x1000, 0x9000};
    constexpr std::uint64_t still_base = 0x5000;
    Bus bus;
    WhereDevice still(0x1000), moving(0x1000), coming(0x10);
    bus.add(still, 0, still_base);
    bus.add(moving, 0, places[0]);

    std::atomic<bool> stop = false;
    std::atomic<unsigned> wrong = 0;
    const auto reader = [&] {
        std::uint64_t value = 0;
        for (std::uint64_t i = 0; !stop.load(std::memory_order_relaxed); ++i) {
            const std::uint64_t offset = i * 8 % 0x1000;
            if (!bus.read(BusKind::mmio, still_base + offset, 8, value) || value != offset)
                wrong.fetch_add(1);
            for (const std::uint64_t place : places) {
                if (bus.read(BusKind::mmio, place + offset, 8, value) && value != offset)
                    wrong.fetch_add(1);
            }
        }
    };
    std::thread first(reader), second(reader);
    unsigned moves = 0;
    while (moves < 20000 || moving.reads < 1000) {
        const std::uint64_t from = places[moves % 2], to = places[(moves + 1) % 2];
        if (!bus.move(BusKind::mmio, from, to) || !bus.try_add(coming, 0, 0x100) ||
            !bus.remove(BusKind::mmio, 0x100))
            break;
        ++moves;
    }
    stop = true;
    first.join();
    second.join();
    CHECK(moves >= 20000);
    CHECK(wrong == 0);
    CHECK(moving.reads >= 1000);
}
