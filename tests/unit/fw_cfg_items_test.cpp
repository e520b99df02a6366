// What firmware reads of the items that board pc gives it, through the device itself.
#include "devices/fw_cfg/fw_cfg.h"
#include "firmware-loaders/option_rom/option_rom.h"
#include "tests/fakes/fakes.h"
#include "tests/fakes/fw_cfg_guest.h"
#include "tests/unit/loader_images.h"
#include "vmm/base/error.h"
#include "vmm/machine/fw_cfg_items.h"
#include "vmm/machine/fw_cfg_items_boot_order.h"
#include "vmm/machine/fw_cfg_items_kernel.h"

#include <catch2/catch.hpp>
#include <string>

using namespace coldstart;
using namespace coldstart::fakes;
using images::Bytes;

namespace {

struct Firmware {
    explicit Firmware(const FwCfgItems& items) : device(items, memory, clock) {}
    GuestMemory memory = GuestMemory::on_heap(8 * MiB);
    FakeClock clock;
    FwCfg device;
    FwCfgGuest guest{device, memory};
};

std::string text_of(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

FirmwareFacts small_pc() {
    FirmwareFacts facts;
    facts.cpus = 3;
    facts.apic_id_limit = 5;
    facts.memory_bytes = 5 * GiB;
    facts.map = {{Gpa(0), 3 * GiB, MemoryKind::ram},
                 {Gpa(0xfeffc000), 16 * KiB, MemoryKind::reserved},
                 {Gpa(4 * GiB), 2 * GiB, MemoryKind::ram}};
    facts.smbios.uuid = uuid_of_machine("test");
    facts.smbios.memory_bytes = facts.memory_bytes;
    facts.smbios.map = facts.map;
    return facts;
}

FwCfgItems items_of(const FirmwareFacts& facts) {
    FwCfgItems items;
    add_firmware_items(items, facts);
    return items;
}

/// Kernel and initrd in memory, and the items made of them.
struct KernelBench {
    images::BzImageBuilder kernel = images::small_bzimage();
    Bytes initrd = images::pattern(10'001);
    bool with_initrd = true;
    std::string command_line = "console=ttyS0 quiet";
    Gpa low_ram_end{16 * MiB};

    FwCfgItems items() const {
        FwCfgItems made;
        const ImageBytes image = images::in_memory(kernel.build());
        std::optional<ImageBytes> disk;
        if (with_initrd)
            disk = images::in_memory(initrd, "initrd test");
        add_kernel_items(made, {.kernel = image,
                                .initrd = disk,
                                .command_line = command_line,
                                .low_ram_end = low_ram_end});
        return made;
    }
};

} // namespace

TEST_CASE("firmware learns of processors and memory", "[fw_cfg_items]") {
    const FwCfgItems items = items_of(small_pc());
    Firmware firmware(items);
    FwCfgGuest& guest = firmware.guest;
    CHECK(guest.number<std::uint16_t>(0x05) == 3);
    CHECK(guest.number<std::uint16_t>(0x0f) == 5);
    CHECK(guest.number<std::uint64_t>(0x03) == 5 * GiB);
    CHECK(guest.number<std::uint16_t>(0x04) == 1);
    CHECK(guest.number<std::uint32_t>(0x8002) == 1);
    const Uuid uuid = uuid_of_machine("test");
    CHECK(guest.read(0x02, 16) == Bytes(uuid.begin(), uuid.end()));
    CHECK(guest.number<std::uint8_t>(0x8004) == 0); // no HPET
    CHECK(guest.number<std::uint64_t>(0x0d) == 0);  // no NUMA nodes

    const auto map = guest.file("etc/e820");
    REQUIRE(map.size() == 3 * 20);
    CHECK(load_le<std::uint64_t>(map, 20) == 0xfeffc000);
    CHECK(load_le<std::uint64_t>(map, 28) == 16 * KiB);
    CHECK(load_le<std::uint32_t>(map, 36) == 2);
    CHECK(load_le<std::uint64_t>(map, 40) == 4 * GiB);
    CHECK(load_le<std::uint32_t>(map, 56) == 1);

    const auto states = guest.file("etc/system-states");
    REQUIRE(states.size() == 6);
    CHECK((states[3] & std::byte{0x80}) == std::byte{0}); // no S3
    CHECK((states[4] & std::byte{0x80}) == std::byte{0}); // no S4
    CHECK((states[5] & std::byte{0x80}) == std::byte{0x80});

    const auto anchor = guest.file("etc/smbios/smbios-anchor");
    CHECK(load_le<std::uint16_t>(anchor, 0x16) == guest.file("etc/smbios/smbios-tables").size());
    for (const char* absent :
         {"etc/reserved-memory-end", "etc/msr_feature_control", "bootorder", "etc/boot-menu-wait"})
        CHECK_FALSE(guest.has_file(absent));
    CHECK(load_le<std::uint32_t>(guest.file("etc/boot-fail-wait")) == 0xffffffff);
    CHECK(guest.number<std::uint16_t>(0x0e) == 0);
}

TEST_CASE("firmware learns what only some machines have", "[fw_cfg_items]") {
    FirmwareFacts facts = small_pc();
    facts.hpet = Gpa(0xfed00000);
    facts.serial_console = false;
    facts.boot_menu_ms = 1500;
    facts.boot_fail_wait_ms = 5000;
    facts.reserved_memory_end = Gpa(8 * GiB);
    facts.feature_control = 5;
    std::uint8_t version = 1;
    facts.acpi = {{.name = "etc/acpi/tables", .size_bytes = 8, .generate = [&] {
                       return Bytes(8, static_cast<std::byte>(version));
                   }}};
    const FwCfgItems items = items_of(facts);
    Firmware firmware(items);
    FwCfgGuest& guest = firmware.guest;
    const auto hpet = guest.read(0x8004, 121);
    CHECK(hpet[0] == std::byte{1});
    CHECK(load_le<std::uint64_t>(hpet, 5) == 0xfed00000);
    CHECK(guest.number<std::uint16_t>(0x04) == 0);
    CHECK(guest.number<std::uint16_t>(0x0e) == 1);
    CHECK(load_le<std::uint16_t>(guest.file("etc/boot-menu-wait")) == 1500);
    CHECK(guest.file("etc/boot-menu-wait").size() == 2); // OVMF wants exactly that
    CHECK(load_le<std::uint32_t>(guest.file("etc/boot-fail-wait")) == 5000);
    CHECK(guest.file("etc/reserved-memory-end").size() == 8);
    CHECK(load_le<std::uint64_t>(guest.file("etc/reserved-memory-end")) == 8 * GiB);
    CHECK(load_le<std::uint64_t>(guest.file("etc/msr_feature_control")) == 5);
    version = 2;
    CHECK(guest.file("etc/acpi/tables") == Bytes(8, std::byte{2}));
}

TEST_CASE("boot paths are as firmware spells them", "[fw_cfg_items]") {
    CHECK(boot_path_virtio_blk({3, 0}) == "/pci@i0cf8/scsi@3/disk@0,0");
    CHECK(boot_path_virtio_blk({0x1e, 1}) == "/pci@i0cf8/scsi@1e,1/disk@0,0");
    CHECK(boot_path_ahci({0x1f, 2}, 0) == "/pci@i0cf8/pci8086,2922@1f,2/drive@0/disk@0");
    CHECK(boot_path_ahci({0x1f, 2}, 5) == "/pci@i0cf8/pci8086,2922@1f,2/drive@5/disk@0");
    CHECK(boot_path_network({10, 0}) == "/pci@i0cf8/ethernet@a/ethernet-phy@0");
    CHECK(boot_path_rom(linux_boot_rom_file) == "/rom@genroms/coldstart-linux.rom");
}

TEST_CASE("the boot order is lines that end in a zero", "[fw_cfg_items]") {
    FirmwareFacts facts = small_pc();
    facts.boot_order = {boot_path_virtio_blk({3, 0}), boot_path_network({4, 0})};
    {
        const FwCfgItems items = items_of(facts);
        Firmware firmware(items);
        CHECK(
            text_of(firmware.guest.file("bootorder")) ==
            std::string("/pci@i0cf8/scsi@3/disk@0,0\n/pci@i0cf8/ethernet@4/ethernet-phy@0\0", 64));
    }
    facts.boot_order.pop_back();
    facts.boot_others = false;
    {
        const FwCfgItems items = items_of(facts);
        Firmware firmware(items);
        CHECK(text_of(firmware.guest.file("bootorder")) ==
              std::string("/pci@i0cf8/scsi@3/disk@0,0\nHALT\0", 32));
    }
    for (const char* bad : {"", "disk0", "/pci\n/b", "/a b"}) {
        facts.boot_order = {bad};
        CHECK_THROWS_AS(items_of(facts), Error);
    }
}

TEST_CASE("a kernel comes apart as an option ROM loads it", "[fw_cfg_items]") {
    const KernelBench bench;
    const Bytes image = bench.kernel.build();
    const FwCfgItems items = bench.items();
    Firmware firmware(items);
    FwCfgGuest& guest = firmware.guest;
    const auto part = [&](std::uint16_t address, std::uint16_t size, std::uint16_t data) {
        return std::pair(guest.number<std::uint32_t>(address),
                         guest.read(data, guest.number<std::uint32_t>(size)));
    };
    const auto [setup_at, setup] = part(0x16, 0x17, 0x18);
    const auto [kernel_at, kernel] = part(0x07, 0x08, 0x11);
    const auto [initrd_at, initrd] = part(0x0a, 0x0b, 0x12);
    const auto [text_at, text] = part(0x13, 0x14, 0x15);

    CHECK(setup_at == 0x10000);
    REQUIRE(setup.size() == 4 * 512);
    CHECK(kernel_at == 0x100000);
    CHECK(initrd == bench.initrd);
    CHECK(initrd_at % 4096 == 0);
    CHECK(initrd_at + initrd.size() <= 14 * MiB);
    CHECK(initrd_at + initrd.size() > 14 * MiB - 4096);
    CHECK(text_at == 0x20000);
    CHECK(text_of(text) == bench.command_line + '\0');

    // The header tells the kernel so; all else is as in the file.
    CHECK(load_le<std::uint8_t>(setup, 0x210) == 0xb0);
    CHECK(load_le<std::uint8_t>(setup, 0x211) == 0x81);
    CHECK(load_le<std::uint32_t>(setup, 0x218) == initrd_at);
    CHECK(load_le<std::uint32_t>(setup, 0x21c) == initrd.size());
    CHECK(load_le<std::uint16_t>(setup, 0x224) == 0xfe00);
    CHECK(load_le<std::uint32_t>(setup, 0x228) == text_at);
    Bytes joined = setup;
    joined.insert(joined.end(), kernel.begin(), kernel.end());
    REQUIRE(joined.size() == image.size());
    for (const std::size_t changed : {0x210u, 0x211u, 0x218u, 0x219u, 0x21au, 0x21bu, 0x21cu,
                                      0x21du, 0x224u, 0x225u, 0x228u, 0x229u, 0x22au, 0x22bu})
        joined[changed] = image[changed];
    CHECK(joined == image);
    CHECK(guest.file("genroms/coldstart-linux.rom") == linux_boot_rom());
}

TEST_CASE("a kernel without an initrd names none", "[fw_cfg_items]") {
    KernelBench bench;
    bench.with_initrd = false;
    bench.command_line.clear();
    const FwCfgItems items = bench.items();
    Firmware firmware(items);
    CHECK(firmware.guest.number<std::uint32_t>(0x0b) == 0);
    CHECK(firmware.guest.number<std::uint32_t>(0x14) == 1); // the zero is always there
    const auto setup = firmware.guest.read(0x18, 4 * 512);
    CHECK(load_le<std::uint64_t>(setup, 0x218) == 0);
}

TEST_CASE("an initrd stays where kernel and firmware let it", "[fw_cfg_items]") {
    KernelBench bench;
    bench.kernel.initrd_address_max = 0x9fffff;
    {
        const FwCfgItems items = bench.items();
        Firmware firmware(items);
        const auto at = firmware.guest.number<std::uint32_t>(0x0a);
        CHECK(at == ((0xa00000 - 10'001) & ~0xfffu));
    }
    bench.kernel.init_bytes = 0x7fd000; // from 2 MiB on: to 3 pages below 10 MiB
    CHECK_NOTHROW(bench.items());
    bench.kernel.init_bytes = 0x7fe000;
    CHECK_THROWS_AS(bench.items(), Error);
    bench.kernel.init_bytes = 0x4000;
    bench.low_ram_end = Gpa(4 * MiB);
    CHECK_THROWS_AS((bench.initrd.resize(3 * MiB), bench.items()), Error);
    bench.low_ram_end = Gpa(1 * MiB);
    bench.with_initrd = false;
    CHECK_THROWS_AS(bench.items(), Error);
}

TEST_CASE("what firmware could not boot is refused", "[fw_cfg_items]") {
    const std::optional<ImageBytes> none;
    for (const Bytes& other : {images::small_vmlinux().build(), images::pattern(4096), Bytes(1)}) {
        FwCfgItems items;
        const ImageBytes image = images::in_memory(other);
        CHECK_THROWS_WITH(
            add_kernel_items(
                items,
                {.kernel = image, .initrd = none, .command_line = "", .low_ram_end = Gpa(GiB)}),
            Catch::Contains("not a bzImage"));
    }
    KernelBench bench;
    bench.command_line.assign(2048, 'x');
    CHECK_THROWS_AS(bench.items(), UsageError);
    bench.command_line.assign(2047, 'x');
    CHECK_NOTHROW(bench.items());
    bench.command_line = std::string("a\0b", 3);
    CHECK_THROWS_AS(bench.items(), UsageError);
    bench.command_line.clear();
    bench.kernel.setup_sectors = 64;
    CHECK_THROWS_AS(bench.items(), Error);
}

TEST_CASE("a kernel file cut short is an error to the guest, no more", "[fw_cfg_items]") {
    images::TempFolder folder;
    const KernelBench bench;
    const Bytes image = bench.kernel.build();
    const std::string path = folder.write("kernel", image);
    const ImageBytes kernel = ImageBytes::open(path, "kernel", "--kernel");
    const std::optional<ImageBytes> none;
    FwCfgItems items;
    add_kernel_items(
        items, {.kernel = kernel, .initrd = none, .command_line = "", .low_ram_end = Gpa(GiB)});
    Firmware firmware(items);
    const auto size = firmware.guest.number<std::uint32_t>(0x08);
    CHECK(firmware.guest.read(0x11, size) == Bytes(image.end() - size, image.end()));
    REQUIRE(::truncate(path.c_str(), 100) == 0);
    CHECK(firmware.guest.dma(0x0a | 0x11u << 16, size, 0x10000) == 1);
    firmware.guest.select(0x11);
    CHECK(firmware.guest.read_port(1)[0] == std::byte{0});
}
