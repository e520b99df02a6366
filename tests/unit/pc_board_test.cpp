#include "vmm/base/error.h"
#include "vmm/machine/pc_board.h"
#include "vmm/runtime/boot/boot_order.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

using namespace coldstart;

namespace {

VmConfig config_with_disks() {
    VmConfig config;
    config.board = BoardKind::pc;
    config.firmware_path = "rom";
    for (const DiskBus bus : {DiskBus::virtio, DiskBus::sata, DiskBus::virtio, DiskBus::sata}) {
        config.disks.emplace_back().path = "disk";
        config.disks.back().bus = bus;
    }
    return config;
}

constexpr PcFacts small_rom{.firmware_bytes = 0x40000};

const BoardDevice* find(const std::vector<BoardDevice>& board, std::string_view id) {
    const auto found =
        std::find_if(board.begin(), board.end(), [id](const auto& d) { return d.id == id; });
    return found == board.end() ? nullptr : &*found;
}

} // namespace

TEST_CASE("board pc: firmware ends at 4 GiB and its variables end where it begins", "[board]") {
    VmConfig config;
    const auto board = pc_board(config, {.firmware_bytes = 0x37c000, .nvram_bytes = 0x84000});
    CHECK(find(board, "rom")->regions.at(0) == 0xffc84000);
    CHECK(find(board, "nvram")->regions.at(0) == 0xffc00000);
    CHECK(find(pc_board(config, small_rom), "nvram") == nullptr);
}

TEST_CASE("board pc: virtio functions stand in slots of their own, SATA disks on one controller",
          "[board]") {
    const auto board = pc_board(config_with_disks(), small_rom);
    CHECK(pci_address_of(board, "disk.disk0") == PciAddress{2, 0});
    CHECK(pci_address_of(board, "disk.disk2") == PciAddress{3, 0});
    CHECK(find(board, "disk.disk1") == nullptr);
    CHECK(pci_address_of(board, "ahci") == PciAddress{31, 2});
    std::set<PciAddress> taken;
    for (const BoardDevice& device : board) {
        if (device.pci)
            CHECK(taken.insert(*device.pci).second);
    }
    CHECK(find(pc_board({}, small_rom), "ahci") == nullptr);
}

TEST_CASE("board pc refuses more virtio devices than slots, and an id twice", "[board]") {
    VmConfig config;
    config.rng = false;
    for (unsigned i = 0; i < 29; ++i)
        config.disks.emplace_back().path = "disk";
    CHECK_NOTHROW(pc_board(config, small_rom));
    config.disks.emplace_back().path = "one more";
    CHECK_THROWS_AS(pc_board(config, small_rom), UsageError);
    config.disks.resize(2);
    config.disks[1].id = "disk0";
    CHECK_THROWS_AS(pc_board(config, small_rom), UsageError);
}

TEST_CASE("the boot order names disks by index, a handed-over kernel first, the CD drive last",
          "[board]") {
    VmConfig config = config_with_disks();
    config.cdrom_path = "iso";
    const auto order = [&config] {
        return firmware_boot_order(config, pc_board(config, small_rom));
    };
    using Lines = std::vector<std::string>;
    const std::string sata = "/pci@i0cf8/pci8086,2922@1f,2/drive@";
    CHECK(order() == Lines{"/pci@i0cf8/scsi@2/disk@0,0", sata + "0/disk@0",
                           "/pci@i0cf8/scsi@3/disk@0,0", sata + "1/disk@0", sata + "2/disk@0"});
    config.disks[3].boot_index = 1;
    config.disks[2].boot_index = 7;
    CHECK(order() == Lines{sata + "1/disk@0", "/pci@i0cf8/scsi@3/disk@0,0", sata + "2/disk@0"});
    config.kernel_path = "vmlinuz";
    CHECK(order().front() == "/rom@genroms/coldstart-linux.rom");
}
