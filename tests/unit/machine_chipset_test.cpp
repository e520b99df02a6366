// The chipset of board pc in a Machine, through its bus, as firmware meets it.
#include "devices/ich9/spec.h"
#include "tests/fakes/fake_machine_host.h"

#include <catch2/catch.hpp>

using namespace coldstart;

namespace {

std::vector<BoardDevice> chipset() {
    return {{.id = "mch", .type = "q35-mch", .regions = {0xcf8, unplaced, 0xc0000}},
            {.id = "lpc",
             .type = "ich9-lpc",
             .regions = {unplaced, unplaced, 0xb2, 0x92},
             .gsis = {ich9::line_gsis.begin(), ich9::line_gsis.end()}},
            {.id = "smbus", .type = "ich9-smbus", .pci = PciAddress{.device = 31, .function = 3}}};
}

struct Pc {
    Pc() : machine(chipset(), with_rom()) { machine.start(); }
    ~Pc() { machine.halt(); }

    MachineHost with_rom() {
        MachineHost given = around.host();
        given.low_rom = rom;
        return given;
    }
    std::uint32_t in(std::uint64_t port, unsigned width) { return load(BusKind::pio, port, width); }
    void out(std::uint64_t port, unsigned width, std::uint32_t value) {
        machine.bus().write(BusKind::pio, port, width, value);
    }
    std::uint32_t load(BusKind kind, std::uint64_t address, unsigned width) {
        std::uint64_t value = 0;
        machine.bus().read(kind, address, width, value);
        return static_cast<std::uint32_t>(value);
    }
    void select(unsigned devfn, unsigned offset) {
        out(0xcf8, 4, 0x80000000 | devfn << 8 | (offset & 0xfc));
    }
    std::uint32_t config(unsigned devfn, unsigned offset) {
        select(devfn, offset);
        return in(0xcfc, 4);
    }
    void configure(unsigned devfn, unsigned offset, unsigned width, std::uint32_t value) {
        select(devfn, offset);
        out(0xcfc + (offset & 3), width, value);
    }

    std::vector<std::byte> rom = std::vector<std::byte>(128 * KiB, std::byte{0x22});
    fakes::FakeMachineHost around;
    Machine machine;
};

constexpr unsigned lpc = 0xf8, smbus = 0xfb;

} // namespace

TEST_CASE("chipset: firmware finds, places and uses it through the bus", "[machine][q35]") {
    Pc pc;
    CHECK(pc.config(0, 0) == 0x29c08086);
    CHECK(pc.config(lpc, 0) == 0x29188086);
    CHECK(pc.config(smbus, 0) == 0x29308086);
    CHECK(pc.config(0xfa, 0) == 0xffffffff);
    CHECK((pc.config(lpc, 0x0c) >> 16 & 0x80) == 0x80); // look at the other functions, too

    CHECK(pc.in(0x608, 4) == 0xffffffff);
    pc.configure(lpc, 0x40, 4, 0x601);
    pc.configure(lpc, 0x44, 1, 0x80);
    pc.around.clock.advance(1'000'000'000);
    CHECK(pc.in(0x608, 4) == 3'579'545);
    CHECK(pc.in(0x630, 4) == 0x20);

    pc.configure(lpc, 0xf0, 4, 0xfed1c001);
    CHECK(pc.load(BusKind::mmio, 0xfed1f410, 4) == 0x20);
    pc.configure(0, 0x60, 4, 0xb0000001);
    CHECK(pc.load(BusKind::mmio, 0xb0000000 + (lpc << 12), 4) == 0x29188086);

    pc.configure(smbus, 0x20, 4, 0x701);
    pc.configure(smbus, 0x40, 1, 1);
    pc.configure(smbus, 0x04, 2, 1);
    pc.out(0x702, 1, 0x41);
    CHECK(pc.in(0x700, 1) == 0x04);
    CHECK(pc.around.router.inputs[16].level);
    pc.configure(lpc, 0x60, 4, 0x0b0b0a0a);
    CHECK(pc.around.router.inputs[10].level);
    pc.machine.reset();
    CHECK_FALSE(pc.around.router.inputs[16].level);
    CHECK_FALSE(pc.around.router.inputs[10].level);
    CHECK(pc.in(0x608, 4) == 0xffffffff);
}

TEST_CASE("chipset: shadow RAM is the guest's own memory", "[machine][q35]") {
    Pc pc;
    CHECK(pc.around.mapper.at(0xfffff)->memory.data() == pc.rom.data());
    pc.configure(0, 0x90, 4, 0x33333330);
    pc.configure(0, 0x94, 4, 0x00333333);
    const auto* const shown = pc.around.mapper.at(0xc0000);
    REQUIRE(shown != nullptr);
    CHECK(shown->memory.data() == pc.around.memory.range(Gpa(0xc0000), 0x40000).data());
    CHECK(shown->memory.size() == 0x40000);
    pc.out(0xcf9, 1, 0x02);
    pc.out(0xcf9, 1, 0x06);
    CHECK(pc.around.power.resets == 1);
}
