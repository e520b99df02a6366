// Board micro with its real devices, driven by the guest's side of the bus.
#include "devices/post_port/post_port.h"
#include "tests/fakes/fake_byte_stream.h"
#include "tests/fakes/fake_machine_host.h"
#include "tests/golden/acpi_configs.h"
#include "vmm/base/error.h"
#include "vmm/base/unique_fd.h"
#include "vmm/machine/layout.h"
#include "vmm/tables/acpi_tables.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <unistd.h>

using namespace coldstart;

namespace {

/// A disk image of 1 MiB that is gone after the test.
class TemporaryDisk {
  public:
    TemporaryDisk() {
        const UniqueFd file(::mkstemp(path.data()));
        REQUIRE(file);
        REQUIRE(::ftruncate(file.get(), MiB) == 0);
    }
    ~TemporaryDisk() { ::unlink(path.c_str()); }

    std::string path = "/tmp/coldstart-machine-XXXXXX";
};

struct PostCodes final : PostCodeSink {
    void post_code(std::uint8_t code, std::uint64_t) noexcept override { last = code; }
    unsigned last = 0;
};

struct Micro : fakes::FakeMachineHost {
    Micro() {
        config.disks.resize(1);
        config.disks[0].path = disk.path;
    }

    MachineHost micro_host() {
        MachineHost made = host();
        made.post_codes = &post_codes;
        made.streams = {{"com1", &com1}, {"console", &console}, {"debugcon", &debugcon}};
        return made;
    }

    TemporaryDisk disk;
    PostCodes post_codes;
    fakes::FakeByteStream com1, console, debugcon;
};

std::uint64_t read(Machine& machine, BusKind kind, std::uint64_t address, unsigned width) {
    std::uint64_t value = 0;
    CHECK(machine.bus().read(kind, address, width, value));
    return value;
}

void out(Machine& machine, std::uint64_t port, unsigned width, std::uint64_t value) {
    CHECK(machine.bus().write(BusKind::pio, port, width, value));
}

} // namespace

TEST_CASE_METHOD(Micro, "the guest finds the devices of board micro", "[machine]") {
    config.debugcon_path = "somewhere";
    Machine machine(micro_board(config), micro_host());
    machine.start();

    out(machine, 0x3f8, 1, 'A');
    CHECK(com1.written() == "A");
    out(machine, 0x402, 1, 'B');
    out(machine, 0xe9, 1, 'C');
    CHECK(debugcon.written() == "BC");
    out(machine, 0x80, 1, 0x42);
    CHECK(post_codes.last == 0x42);
    out(machine, 0x70, 1, 0x0d); // CMOS status D: the battery is good
    CHECK(read(machine, BusKind::pio, 0x71, 1) == 0x80);

    out(machine, 0x604, 2, 5u << 10 | 1u << 13); // SLP_TYP S5, SLP_EN
    CHECK(power.power_offs == 1);
    out(machine, 0x600, 1, 5u << 2 | 1u << 5); // the same by the register of the FADT
    CHECK(power.power_offs == 2);
    CHECK(power.resets == 0);
    out(machine, 0xcf9, 1, 6);
    CHECK(power.resets == 1);
    out(machine, 0x64, 1, 0xfe);
    CHECK(power.resets == 2);
    out(machine, 0x505, 1, 1);
    CHECK(power.panics == 1);

    // virtio-mmio: magic, version 2, a block and an entropy device.
    for (const std::uint64_t slot : {0xd0000000, 0xd0001000}) {
        CHECK(read(machine, BusKind::mmio, slot, 4) == 0x74726976);
        CHECK(read(machine, BusKind::mmio, slot + 4, 4) == 2);
    }
    CHECK(read(machine, BusKind::mmio, 0xd0000008, 4) == 2);
    CHECK(read(machine, BusKind::mmio, 0xd0000100, 4) == MiB / 512);
    CHECK(read(machine, BusKind::mmio, 0xd0001008, 4) == 4);
    CHECK(router.levels == std::set<std::uint32_t>{4, 8});
    CHECK(router.edges == std::set<std::uint32_t>{9, 16, 17});
    for (const auto& bell : doorbells.bells)
        CHECK((bell.address & 0xfff) == 0x50);
    CHECK(doorbells.bells.size() >= 2);

    machine.pause();
    CHECK(machine.drained());
    machine.reset();
    machine.resume();
    machine.halt();
}

TEST_CASE_METHOD(Micro, "a split irqchip is three devices of board micro", "[machine]") {
    config.irqchip = IrqchipKind::split;
    Machine machine(micro_board(config), micro_host());
    CHECK(router.edges == std::set<std::uint32_t>{0, 9, 16, 17});
    CHECK(read(machine, BusKind::mmio, 0xfec00000, 4) == 0);
    out(machine, 0x21, 1, 0xfa);
    CHECK(read(machine, BusKind::pio, 0x21, 1) == 0xfa);
    out(machine, 0xa1, 1, 0xfe);
    CHECK(read(machine, BusKind::pio, 0xa1, 1) == 0xfe);
    out(machine, 0x4d0, 1, 0xff);
    CHECK(read(machine, BusKind::pio, 0x4d0, 1) == 0xf8);
    machine.start();
    out(machine, 0x43, 1, 0x34);
    out(machine, 0x40, 1, 0xa9);
    out(machine, 0x40, 1, 0x04);
    clock.advance(10'500'000);
    CHECK(router.inputs[0].rising_edges == 10);
    out(machine, 0x61, 1, 1);
    CHECK((read(machine, BusKind::pio, 0x61, 1) & 1) == 1);
    machine.halt();
}

TEST_CASE_METHOD(Micro, "real devices make the golden ACPI tables of board micro",
                 "[machine][golden]") {
    config.acpi = GENERATE(AcpiHardware::reduced, AcpiHardware::fixed);
    const bool fixed = config.acpi == AcpiHardware::fixed;
    Machine machine(micro_board(config), micro_host());
    const AddressLayout placed = micro_layout(config.memory_bytes);
    const std::uint32_t apic_ids[] = {0};
    AcpiInputs facts{.devices = machine.devices(),
                     .apic_ids = apic_ids,
                     .base = placed.rsdp,
                     .room_bytes = placed.acpi_tables.size_bytes,
                     .has_pics = fixed};
    if (!fixed)
        facts.pit_gsi.reset();
    const golden::AcpiConfig expected = golden::acpi_configs()[fixed ? 1 : 0];
    CHECK(golden::first_difference(golden::to_text({expected.name, build_acpi(facts)}),
                                   golden::to_text(expected)) == "");
}

TEST_CASE_METHOD(Micro, "a virtio console stands where COM1 would", "[machine]") {
    config.virtio_console = true;
    Machine machine(micro_board(config), micro_host());
    CHECK(machine.find("com1") == nullptr);
    CHECK(read(machine, BusKind::mmio, 0xd0001008, 4) == 3);
    std::uint64_t value = 0;
    CHECK_FALSE(machine.bus().read(BusKind::pio, 0x3fd, 1, value));
}

TEST_CASE_METHOD(Micro, "what a device lacks is said before the machine runs", "[machine]") {
    std::vector<BoardDevice> board = micro_board(config);
    SECTION("no disk image") {
        config.disks[0].path = "/nonexistent/disk";
        CHECK_THROWS_WITH(Machine(board, micro_host()), Catch::Contains("/nonexistent/disk"));
    }
    SECTION("no stream") {
        MachineHost without = micro_host();
        without.streams.clear();
        CHECK_THROWS_WITH(Machine(board, without), Catch::Contains("com1"));
        board[0].stream.clear();
        CHECK_THROWS_WITH(Machine(board, without), Catch::Contains("com1"));
    }
    SECTION("no interrupt") {
        board[0].gsis.clear();
        CHECK_THROWS_WITH(Machine(board, micro_host()), Catch::Contains("needs an interrupt"));
    }
    SECTION("an unknown function") {
        board.back().function = "virtio-teapot";
        CHECK_THROWS_WITH(Machine(board, micro_host()), Catch::Contains("virtio-teapot"));
    }
    SECTION("nobody listens to POST codes") {
        MachineHost without = micro_host();
        without.post_codes = nullptr;
        Machine machine(board, without);
        out(machine, 0x80, 1, 1);
        CHECK(read(machine, BusKind::pio, 0x80, 1) == 1);
    }
}
