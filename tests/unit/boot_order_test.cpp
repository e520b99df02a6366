// From the configuration to the lines that firmware reads.
#include "vmm/machine/pc_board.h"
#include "vmm/runtime/boot/boot_order.h"

#include <catch2/catch.hpp>

using namespace coldstart;

namespace {

using Lines = std::vector<std::string>;

const std::string first_disk = "/pci@i0cf8/scsi@2/disk@0,0";
const std::string second_disk = "/pci@i0cf8/scsi@3/disk@0,0";
const std::string first_net = "/pci@i0cf8/ethernet@4/ethernet-phy@0";
const std::string second_net = "/pci@i0cf8/ethernet@5/ethernet-phy@0";
const std::string cdrom = "/pci@i0cf8/pci8086,2922@1f,2/drive@0/disk@0";

VmConfig two_of_each() {
    VmConfig config;
    config.disks.resize(2);
    config.nets.resize(2);
    config.cdrom_path = "x.iso";
    return config;
}

Lines order(const VmConfig& config) {
    return firmware_boot_order(config, pc_board(config, {.firmware_bytes = 256 * KiB}));
}

} // namespace

TEST_CASE("boot order: nothing chosen tries disks, the CD drive, then networks", "[boot]") {
    CHECK(order(two_of_each()) == Lines{first_disk, second_disk, cdrom, first_net, second_net});
    CHECK(order({}).empty());
}

TEST_CASE("boot order: indices order disks and networks together", "[boot]") {
    VmConfig config = two_of_each();
    config.nets[1].bootindex = 1;
    CHECK(order(config) == Lines{second_net, cdrom});
    config.disks[1].boot_index = 0;
    config.nets[0].bootindex = 7;
    CHECK(order(config) == Lines{second_disk, second_net, first_net, cdrom});
    config.disks[0].boot_index = 1;
    CHECK(order(config) == Lines{second_disk, first_disk, second_net, first_net, cdrom});
}

TEST_CASE("boot order: a kernel handed over comes first, a SATA disk before the CD drive",
          "[boot]") {
    VmConfig config = two_of_each();
    config.kernel_path = "k";
    config.disks[0].bus = DiskBus::sata;
    config.nets.clear();
    const Lines lines = order(config);
    REQUIRE(lines.size() == 4);
    CHECK(lines[0].starts_with("/rom@genroms/"));
    CHECK(lines[1] == cdrom); // port 0 is the disk's
    CHECK(lines[2] == first_disk);
    CHECK(lines[3] == "/pci@i0cf8/pci8086,2922@1f,2/drive@1/disk@0");
}
