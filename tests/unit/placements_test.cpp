// Placements: bus, doorbells and shown memory follow a region together.
#include "tests/fakes/fake_device.h"
#include "tests/fakes/fake_pci.h"
#include "vmm/base/error.h"
#include "vmm/machine/placements.h"

#include <array>
#include <catch2/catch.hpp>

using namespace coldstart;

namespace {

struct FakeDoorbells final : DoorbellRegistry {
    struct Bell {
        bool pio;
        std::uint64_t address;
        unsigned width;
        std::uint64_t value;
        int event_fd;
        bool operator==(const Bell&) const = default;
    };
    void attach(bool pio, std::uint64_t address, unsigned width, std::uint64_t value,
                int event_fd) override {
        if (refuse)
            throw Error("no doorbells");
        bells.push_back({pio, address, width, value, event_fd});
    }
    void detach(bool pio, std::uint64_t address, unsigned width, std::uint64_t value,
                int event_fd) noexcept override {
        std::erase(bells, Bell{pio, address, width, value, event_fd});
    }
    std::vector<Bell> bells;
    bool refuse = false;
};

/// Region 0: ports with two doorbells; 1: memory; 2: registers with one.
struct Places {
    Places() {
        device.region_shapes = {{"ports", BusKind::pio, 16},
                                {"memory", BusKind::mmio, memory.size(), memory.data()},
                                {"registers", BusKind::mmio, 4096}};
        device.bells = {{.region = 0, .offset = 4, .width = 2, .value = 7, .event_fd = 40},
                        {.region = 2, .offset = 0x50, .width = 4, .value = 0, .event_fd = 41},
                        {.region = 0, .offset = 4, .width = 2, .value = 8, .event_fd = 42}};
        device.answer = 0x11;
        other.region_shapes = {{"other", BusKind::mmio, 4096},
                               {"memory", BusKind::mmio, memory.size(), other_memory.data()}};
    }
    bool answers(BusKind kind, std::uint64_t address) {
        std::uint64_t value = 0;
        return bus.read(kind, address, 1, value);
    }

    alignas(4096) std::array<std::byte, 8192> memory{};
    alignas(4096) std::array<std::byte, 8192> other_memory{};
    fakes::FakeDevice device, other;
    Bus bus;
    FakeDoorbells doorbells;
    fakes::FakeMapper mapper;
    Placements placements{bus, &doorbells, &mapper};
};

using Bell = FakeDoorbells::Bell;

} // namespace

TEST_CASE("placements: a region takes its doorbells along", "[machine][placements]") {
    Places at;
    REQUIRE(at.placements.place(at.device, 0, 0xc000));
    CHECK(at.answers(BusKind::pio, 0xc00f));
    CHECK(at.doorbells.bells ==
          std::vector<Bell>{{true, 0xc004, 2, 7, 40}, {true, 0xc004, 2, 8, 42}});
    REQUIRE(at.placements.place(at.device, 2, 0xfeb00000));
    CHECK(at.doorbells.bells.back() == Bell{false, 0xfeb00050, 4, 0, 41});

    REQUIRE(at.placements.place(at.device, 0, 0xd000)); // moved
    CHECK_FALSE(at.answers(BusKind::pio, 0xc000));
    CHECK(at.answers(BusKind::pio, 0xd000));
    CHECK(at.doorbells.bells == std::vector<Bell>{{false, 0xfeb00050, 4, 0, 41},
                                                  {true, 0xd004, 2, 7, 40},
                                                  {true, 0xd004, 2, 8, 42}});

    at.placements.withdraw(at.device, 0);
    at.placements.withdraw(at.device, 0);
    at.placements.withdraw(at.device, 2);
    CHECK(at.doorbells.bells.empty());
    CHECK_FALSE(at.answers(BusKind::pio, 0xd000));
    CHECK_FALSE(at.answers(BusKind::mmio, 0xfeb00000));
}

TEST_CASE("placements: without doorbells kicks come as writes", "[machine][placements]") {
    Places at;
    at.doorbells.refuse = true;
    REQUIRE(at.placements.place(at.device, 0, 0xc000));
    CHECK(at.bus.write(BusKind::pio, 0xc004, 2, 7));
    CHECK(at.device.writes.size() == 1);

    Places bare;
    Placements none(bare.bus, nullptr, nullptr);
    REQUIRE(none.place(bare.device, 0, 0xc000));
    REQUIRE(none.place(bare.device, 1, 0xe0000000));
    none.show_memory(bare.device, 1, false);
    none.withdraw(bare.device, 1);
    CHECK_FALSE(bare.answers(BusKind::mmio, 0xe0000000));
}

TEST_CASE("placements: a taken place leaves the region nowhere", "[machine][placements]") {
    Places at;
    REQUIRE(at.placements.place(at.other, 0, 0xe0001000));
    REQUIRE(at.placements.place(at.device, 1, 0xd0000000));
    CHECK_FALSE(at.placements.place(at.device, 1, 0xe0000000));
    CHECK_FALSE(at.answers(BusKind::mmio, 0xd0000000));
    CHECK_FALSE(at.answers(BusKind::mmio, 0xe0000000));
    CHECK(at.answers(BusKind::mmio, 0xe0001000));
    CHECK(at.mapper.shown.empty());
    CHECK_FALSE(at.placements.place(at.device, 0, 0xfff8)); // beyond the last port
    CHECK(at.doorbells.bells.empty());

    CHECK_THROWS_AS(at.placements.place_or_throw(at.device, 1, 0xe0000000), Error);
    at.placements.withdraw(at.other, 0);
    CHECK_NOTHROW(at.placements.place_or_throw(at.device, 1, 0xe0000000));
    CHECK(at.mapper.shown.count(0xe0000000) == 1);
}

TEST_CASE("placements: memory is seen where the region stands", "[machine][placements]") {
    Places at;
    REQUIRE(at.placements.place(at.device, 1, 0xe0000000));
    REQUIRE(at.mapper.at(0xe0001fff) != nullptr);
    CHECK(at.mapper.at(0xe0000000)->memory.data() == at.memory.data());
    REQUIRE(at.placements.place(at.device, 1, 0xd0000000));
    CHECK(at.mapper.at(0xe0000000) == nullptr);
    CHECK(at.mapper.at(0xd0000000) != nullptr);
    at.placements.withdraw(at.device, 1);
    CHECK(at.mapper.shown.empty());
}

TEST_CASE("placements: a device hides its memory for a while", "[machine][placements]") {
    Places at;
    at.placements.show_memory(at.device, 1, false);
    REQUIRE(at.placements.place(at.device, 1, 0xe0000000));
    CHECK(at.mapper.shown.empty());
    CHECK(at.answers(BusKind::mmio, 0xe0000000));
    at.placements.show_memory(at.device, 1, true);
    CHECK(at.mapper.at(0xe0000000) != nullptr);
    at.placements.show_memory(at.device, 1, false);
    at.placements.show_memory(at.device, 1, false);
    CHECK(at.mapper.shown.empty());
    REQUIRE(at.placements.place(at.device, 1, 0xd0000000)); // still hidden when it has moved
    CHECK(at.mapper.shown.empty());
    at.placements.withdraw(at.device, 1);
    at.placements.show_memory(at.device, 1, true); // and shown again from its next place on
    CHECK(at.mapper.shown.empty());
    REQUIRE(at.placements.place(at.device, 1, 0xe0000000));
    CHECK(at.mapper.at(0xe0000000) != nullptr);
}

TEST_CASE("placements: what else the guest sees there stays", "[machine][placements]") {
    Places at;
    std::vector<std::byte> ram(4096);
    REQUIRE(at.mapper.show(Gpa(0x100000000), ram, MemoryAccess::read_write));
    REQUIRE(at.placements.place(at.device, 1, 0x100000000)); // a BAR over RAM
    REQUIRE(at.mapper.at(0x100000000) != nullptr);
    CHECK(at.mapper.at(0x100000000)->memory.data() == ram.data());
    at.placements.show_memory(at.device, 1, false);
    CHECK(at.mapper.at(0x100000000) != nullptr);
    at.placements.show_memory(at.device, 1, true);
    at.placements.withdraw(at.device, 1);
    REQUIRE(at.mapper.at(0x100000000) != nullptr);
    CHECK(at.mapper.at(0x100000000)->memory.data() == ram.data());
}
