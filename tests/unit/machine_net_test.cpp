// From a NetConfig to a card on the board: its slot, its address, its ROM.
#include "tests/fakes/fake_machine_host.h"
#include "tests/fakes/fake_net.h"
#include "tests/fakes/virtio_temp_file.h"
#include "virtio/net/mac_address.h"
#include "virtio/transport/pci/virtio_pci_device.h"
#include "vmm/base/error.h"
#include "vmm/machine/pc_board.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include <unistd.h>

using namespace coldstart;
using namespace coldstart::fakes;

namespace {

struct NetHost : FakeMachineHost {
    NetHost() {
        config.serial.kind = SerialConfig::Kind::none;
        config.rng = false;
        config.nets.emplace_back();
    }
    MachineHost with_net() {
        MachineHost all = host();
        all.make_net = [this](const NetConfig& asked, Reactor&) {
            asked_for = asked.tap;
            return std::make_unique<FakeNetBackend>(net);
        };
        return all;
    }
    /// The address in the configuration space of the card "net0".
    MacAddress address(std::span<const BoardDevice> board) {
        Machine machine(board, with_net());
        MacAddress mac;
        for (unsigned i = 0; i < 6; ++i)
            mac.bytes[i] =
                static_cast<std::uint8_t>(machine.find("net.net0")->read(0, 0x100 + i, 1));
        return mac;
    }

    FakeNet net;
    std::string asked_for;
};

} // namespace

TEST_CASE("board micro has a slot for each network", "[net]") {
    NetHost host;
    host.config.nets[0].tap = "tap7";
    const auto board = micro_board(host.config);
    CHECK(std::ranges::count(board, "virtio-net", &BoardDevice::function) == 1);
    CHECK(host.address(board) == MacAddress::derived_from("/net0/tap7"));
    CHECK(host.asked_for == "tap7");
    host.config.id = "vm1";
    CHECK(host.address(board) == MacAddress::derived_from("vm1/net0/tap7"));
    host.config.nets[0].mac = "52:54:00:12:34:56";
    CHECK(host.address(board) == MacAddress{{0x52, 0x54, 0, 0x12, 0x34, 0x56}});
    host.config.nets[0].mac = "01:00:5e:00:00:01";
    CHECK_THROWS_AS(host.address(board), UsageError);
}

TEST_CASE("board pc has a function for each network, after the disks", "[net]") {
    VmConfig config;
    config.disks.resize(2);
    config.nets.resize(2);
    config.nets[1].id = "lan";
    const auto board = pc_board(config, {.firmware_bytes = 256 * KiB});
    CHECK(pci_address_of(board, "disk.disk1") == PciAddress{3, 0});
    CHECK(pci_address_of(board, "net.net0") == PciAddress{4, 0});
    CHECK(pci_address_of(board, "net.lan") == PciAddress{5, 0});
    CHECK(pci_address_of(board, "rng") == PciAddress{6, 0});
    const auto lan = std::ranges::find(board, "net.lan", &BoardDevice::id);
    CHECK(lan->type == "virtio-pci");
    CHECK(lan->function == "virtio-net");
    CHECK(lan->unit == 1);
    config.nets[1].id = "net0";
    CHECK_THROWS_AS(pc_board(config, {.firmware_bytes = 256 * KiB}), UsageError);
}

TEST_CASE("a card on PCI has the ROM of its configuration", "[net]") {
    NetHost host;
    const BoardDevice board[] = {{.id = "net.net0",
                                  .type = "virtio-pci",
                                  .pci = PciAddress{.device = 2},
                                  .function = "virtio-net"}};
    const TempFile rom(3000);
    const auto has_rom = [&] {
        Machine machine(board, host.with_net());
        machine.pci().config_write(0, {.device = 2}, 0x30, 4, 0xfffffffe);
        // The bits that stay 0 say how large it is: whole pages.
        const std::uint32_t bar = machine.pci().config_read(0, {.device = 2}, 0x30, 4);
        return bar != 0 && (bar & 0xfff) == 0;
    };
    CHECK(has_rom() == (::access("/usr/lib/ipxe/qemu/pxe-virtio.rom", F_OK) == 0));
    host.config.nets[0].rom_path = "";
    CHECK_FALSE(has_rom());
    host.config.nets[0].rom_path = rom.path();
    CHECK_THROWS_AS(has_rom(), Error); // zeros are no ROM
    rom.write(0, "\x55\xaa");
    CHECK(has_rom());
    host.config.nets[0].rom_path = "/nonexistent/rom";
    CHECK_THROWS_WITH(has_rom(), Catch::Contains("/nonexistent/rom"));
}
