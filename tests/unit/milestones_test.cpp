// Who tells which milestone: virtio devices, disks, fw_cfg.
#include "devices/fw_cfg/fw_cfg.h"
#include "devices/fw_cfg/spec.h"
#include "tests/fakes/fake_milestones.h"
#include "tests/fakes/fakes.h"
#include "tests/fakes/fw_cfg_guest.h"
#include "tests/fakes/virtio_driver.h"
#include "tests/fakes/virtio_echo.h"
#include "tests/fakes/virtio_temp_file.h"
#include "virtio/backend/raw_disk.h"
#include "virtio/transport/mmio/virtio_mmio_device.h"
#include "vmm/base/byte_size.h"
#include "vmm/machine/fw_cfg_milestones.h"

#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

using namespace coldstart;
using namespace coldstart::fakes;
using Heard = std::vector<std::pair<Milestone, std::string>>;

TEST_CASE("a virtio driver that is ready, and one that lets go, are told", "[milestones]") {
    FakeMilestones milestones;
    const GuestMemory memory = GuestMemory::on_heap(MiB);
    FakeIrqLine line;
    FakeReactor reactor;
    VirtioMmioDevice mmio{std::make_unique<VirtioEcho>(), memory, line, reactor};
    mmio.tell_milestones(milestones, "disk.a");
    VirtioDriver driver{mmio, memory};
    driver.reset(); // nobody had it
    driver.start(0, {8});
    CHECK(milestones.heard == Heard{{Milestone::driver_ok, "disk.a"}});
    driver.reset();
    driver.reset();
    CHECK(milestones.heard ==
          Heard{{Milestone::driver_ok, "disk.a"}, {Milestone::driver_reset, "disk.a"}});
}

TEST_CASE("a disk tells its first read and no other", "[milestones]") {
    struct Client final : DiskClient {
        void disk_ready() noexcept override {}
        void disk_completed(std::uint32_t, int) noexcept override {}
    } client;
    FakeMilestones milestones;
    const TempFile file(64 * KiB);
    FakeReactor reactor;
    RawDiskOptions options;
    options.path = file.path();
    options.milestones = &milestones;
    options.name = "disk.a";
    RawDisk disk(options, reactor);
    disk.set_client(client);
    std::vector<char> bytes(512);
    const iovec segment{bytes.data(), bytes.size()};
    for (const DiskOperation operation :
         {DiskOperation::write, DiskOperation::read, DiskOperation::read}) {
        DiskRequest request;
        request.operation = operation;
        request.segments = {&segment, 1};
        disk.submit(request);
        disk.drain();
        CHECK(milestones.heard.empty() == (operation == DiskOperation::write));
    }
    CHECK(milestones.heard == Heard{{Milestone::first_disk_read, "disk.a"}});
}

TEST_CASE("fw_cfg's first reads are told by name", "[milestones]") {
    FakeMilestones milestones;
    FwCfgMilestones reads(milestones);
    FwCfgItems items;
    items.add_number(fw_cfg::key_cpus, std::uint16_t{2});
    items.add_number_file("etc/thing", std::uint32_t{7});
    items.set_observer(&reads);
    const GuestMemory memory = GuestMemory::on_heap(MiB);
    FakeClock clock;
    FwCfg device(items, memory, clock);
    FwCfgGuest guest{device, memory};
    guest.read(fw_cfg::key_cpus, 2);
    guest.read(fw_cfg::key_cpus, 2);
    guest.read(fw_cfg::key_first_file, 4);
    CHECK(milestones.heard == Heard{{Milestone::fw_cfg, "CPUs"}, {Milestone::fw_cfg, "etc/thing"}});
    CHECK(fw_cfg_key_name(fw_cfg::key_kernel_data) == "kernel");
    CHECK(fw_cfg_key_name(0x7777).empty());
}
