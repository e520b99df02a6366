#include "tests/fakes/fake_device.h"
#include "tests/fakes/fake_machine_host.h"
#include "vmm/base/error.h"
#include "vmm/machine/machine.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace coldstart;
using fakes::FakeDevice;

namespace {

/// What the test's catalogue entries do; they are plain functions, so it is here.
struct Workshop {
    std::vector<std::string> life;
    std::map<std::string, IrqLine*> lines;
    bool fail_start = false;
} workshop;

std::unique_ptr<FakeDevice> make_fake(const BoardDevice& entry, const DeviceHost& host) {
    auto device = std::make_unique<FakeDevice>();
    device->type_name = entry.type;
    device->on_life = [id = entry.id](const char* step) {
        workshop.life.push_back(id + " " + step);
        if (workshop.fail_start && id == "b" && std::string_view(step) == "start")
            throw Error("b does not start");
    };
    if (!host.lines.empty())
        workshop.lines[entry.id] = host.lines[0];
    return device;
}

std::unique_ptr<Device> make_port(const BoardDevice& entry, const DeviceHost& host) {
    auto device = make_fake(entry, host);
    device->region_shapes = {{"port", BusKind::pio, 4}};
    device->line_shapes = {{"irq", true}};
    return device;
}

std::unique_ptr<Device> make_window(const BoardDevice& entry, const DeviceHost& host) {
    auto device = make_fake(entry, host);
    device->region_shapes = {{"window", BusKind::mmio, 0x1000}, {"more", BusKind::pio, 1}};
    device->line_shapes = {{"irq", false}};
    device->bells = {{0, 0x50, 4, 1, 33}, {1, 0, 1, 7, 34}};
    return device;
}

constexpr CatalogueEntry test_catalogue[] = {{"port", make_port}, {"window", make_window}};

struct MachineFixture : fakes::FakeMachineHost {
    MachineFixture() { workshop = {}; }
};

const std::vector<BoardDevice> two_devices = {
    {.id = "a", .type = "port", .regions = {0x100}, .gsis = {5}},
    {.id = "b", .type = "window", .regions = {0xd0000000, 0x200}, .gsis = {6}},
};

} // namespace

TEST_CASE_METHOD(MachineFixture, "a machine wires its board", "[machine]") {
    Machine machine(two_devices, host(), test_catalogue);
    CHECK(router.edges == std::set<std::uint32_t>{5});
    CHECK(router.levels == std::set<std::uint32_t>{6});
    CHECK(doorbells.bells == std::vector<fakes::FakeDoorbells::Bell>{{false, 0xd0000050, 4, 1, 33},
                                                                     {true, 0x200, 1, 7, 34}});
    std::uint64_t value = 0;
    CHECK(machine.bus().read(BusKind::pio, 0x103, 1, value));
    CHECK(value == 3);
    CHECK(machine.bus().read(BusKind::mmio, 0xd0000ffc, 4, value));
    CHECK(value == 0xffc);
    CHECK(machine.bus().read(BusKind::pio, 0x200, 1, value));
    CHECK(value == 0x10);

    // The line a device was given at its birth leads to its GSI.
    workshop.lines["b"]->set_level(true);
    CHECK(router.inputs[6].level);
    workshop.lines["a"]->pulse();
    CHECK(router.inputs[5].rising_edges == 1);
    CHECK_FALSE(router.inputs[5].level);

    REQUIRE(machine.devices().size() == 2);
    CHECK(machine.devices()[1].id == "b");
    CHECK(machine.devices()[1].bases == two_devices[1].regions);
    CHECK(machine.find("b") == machine.devices()[1].device);
    CHECK(machine.find("c") == nullptr);
}

TEST_CASE_METHOD(MachineFixture, "devices live in the order that is written down", "[machine]") {
    using Lines = std::vector<std::string>;
    const auto life = [] { return std::exchange(workshop.life, {}); };
    Machine machine(two_devices, host(), test_catalogue);
    machine.start();
    CHECK(life() == Lines{"a start", "b start"});
    machine.pause();
    CHECK(life() == Lines{"b pause", "a pause"});
    CHECK(machine.drained());
    dynamic_cast<FakeDevice&>(*machine.find("a")).is_drained = false;
    workshop.life.clear();
    CHECK_FALSE(machine.drained());
    CHECK(life() == Lines{"a drained", "b drained"});
    machine.resume();
    CHECK(life() == Lines{"a resume", "b resume"});
    machine.reset();
    CHECK(life() == Lines{"a reset", "b reset"});
    machine.halt();
    CHECK(life() == Lines{"b halt", "a halt"});
}

TEST_CASE_METHOD(MachineFixture, "a start that fails halts what had started", "[machine]") {
    workshop.fail_start = true;
    Machine machine(two_devices, host(), test_catalogue);
    CHECK_THROWS_WITH(machine.start(), "b does not start");
    CHECK(workshop.life == std::vector<std::string>{"a start", "b start", "a halt"});
}

TEST_CASE_METHOD(MachineFixture, "boards that contradict themselves are refused", "[machine]") {
    std::vector<BoardDevice> board = two_devices;
    const auto build = [&] { Machine machine(board, host(), test_catalogue); };
    SECTION("unknown type") {
        board[0].type = "teapot";
        CHECK_THROWS_WITH(build(), Catch::Contains("teapot"));
    }
    SECTION("the same id") {
        board[1].id = "a";
        CHECK_THROWS_WITH(build(), Catch::Contains("twice"));
    }
    SECTION("the same ports") {
        board[1].regions[1] = 0x103;
        CHECK_THROWS_WITH(build(), Catch::Contains("overlaps"));
    }
    SECTION("an edge shared with a level") {
        board[1].gsis = {5};
        CHECK_THROWS_WITH(build(), Catch::Contains("GSI 5"));
    }
    SECTION("a region too few") {
        board[1].regions.pop_back();
        CHECK_THROWS_WITH(build(), Catch::Contains("1 regions"));
    }
    SECTION("an interrupt too many") {
        board[0].gsis.push_back(7);
        CHECK_THROWS_WITH(build(), Catch::Contains("2 interrupts"));
    }
    SECTION("a stream that is not there") {
        board[0].stream = "com1";
        CHECK_THROWS_WITH(build(), Catch::Contains("com1"));
    }
    SECTION("levels may share") {
        board[0] = board[1];
        board[0].id = "c";
        board[0].regions = {0xd0001000, 0x201};
        CHECK_NOTHROW(build());
    }
}

namespace {

std::vector<std::string> ids(const std::vector<BoardDevice>& board) {
    std::vector<std::string> found;
    for (const BoardDevice& device : board)
        found.push_back(device.id);
    return found;
}

const BoardDevice& by_id(const std::vector<BoardDevice>& board, std::string_view id) {
    return *std::find_if(board.begin(), board.end(),
                         [&](const BoardDevice& device) { return device.id == id; });
}

} // namespace

TEST_CASE("board micro has the devices its configuration asks for", "[machine]") {
    using Ids = std::vector<std::string>;
    VmConfig config;
    CHECK(ids(micro_board(config)) ==
          Ids{"com1", "i8042", "cmos", "pm", "post", "ready", "pvpanic", "rng"});
    config.rng = false;
    config.debugcon_path = "log";
    config.serial.kind = SerialConfig::Kind::none;
    CHECK(ids(micro_board(config)) ==
          Ids{"i8042", "cmos", "pm", "post", "ready", "pvpanic", "debugcon", "debugcon-e9"});

    // A virtio console takes the terminal, and COM1 goes, unless it leads elsewhere.
    config = {};
    config.virtio_console = true;
    config.disks.resize(2);
    config.disks[1].id = "data";
    const std::vector<BoardDevice> board = micro_board(config);
    CHECK(ids(board) == Ids{"i8042", "cmos", "pm", "post", "ready", "pvpanic", "disk.disk0",
                            "disk.data", "console", "rng"});
    CHECK(by_id(board, "disk.data").function == "virtio-blk");
    CHECK(by_id(board, "disk.data").unit == 1);
    CHECK(by_id(board, "disk.data").regions == std::vector<std::uint64_t>{0xd0001000});
    CHECK(by_id(board, "disk.disk0").gsis == std::vector<std::uint32_t>{16});
    config.serial = {SerialConfig::Kind::file, "out"};
    CHECK(ids(micro_board(config))[0] == "com1");
}

TEST_CASE("a kernel without an IOAPIC gets fixed ACPI hardware and ISA interrupts", "[machine]") {
    VmConfig config;
    config.disks.resize(2);
    config.kernel_path = "vmlinux";
    CHECK(by_id(micro_board(config), "pm").type == "acpi-ged");
    for (const char* line : {"ro noapic quiet", "maxcpus=0", "console=ttyS0 nosmp"}) {
        config.command_line = line;
        const std::vector<BoardDevice> board = micro_board(config);
        CHECK(by_id(board, "pm").type == "acpi-pm");
        CHECK(by_id(board, "disk.disk0").gsis == std::vector<std::uint32_t>{5});
        CHECK(by_id(board, "disk.disk1").gsis == std::vector<std::uint32_t>{10});
    }
    config.acpi = AcpiHardware::reduced; // as asked
    CHECK(by_id(micro_board(config), "pm").type == "acpi-ged");
    config.acpi = AcpiHardware::automatic;
    for (const char* line : {"maxcpus=01", "nosmpx", "xnoapic", "-- noapicx"}) {
        config.command_line = line;
        const std::vector<BoardDevice> board = micro_board(config);
        CHECK(by_id(board, "pm").type == "acpi-ged");
        CHECK(by_id(board, "disk.disk0").gsis == std::vector<std::uint32_t>{16});
    }
    config.acpi = AcpiHardware::fixed;
    CHECK(by_id(micro_board(config), "pm").type == "acpi-pm");
    CHECK(by_id(micro_board(config), "disk.disk0").gsis == std::vector<std::uint32_t>{16});
}

TEST_CASE("board micro gives every virtio device an interrupt of its own", "[machine]") {
    VmConfig config;
    config.rng = false;
    config.disks.resize(micro_virtio_slots());
    std::set<std::uint32_t> used;
    for (const BoardDevice& device : micro_board(config)) {
        for (const std::uint32_t gsi : device.gsis) {
            CHECK(used.insert(gsi).second);
            CHECK(gsi <= 23);
        }
    }
    for (const std::uint32_t kept : {0u, 1u, 2u, 3u, 13u})
        CHECK(used.count(kept) == 0);

    config.rng = true;
    CHECK_THROWS_WITH(micro_board(config), Catch::Contains("16 slots"));
    CHECK_THROWS_AS(micro_board(config), UsageError);
    config.rng = false;
    config.disks[3].id = "disk1";
    CHECK_THROWS_WITH(micro_board(config), Catch::Contains("\"disk.disk1\""));
}
