// What requests before the start may say together: each rule, and that a refusal changes nothing.
#include "tests/fakes/virtio_temp_file.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/runtime/control/configuration.h"

#include <catch2/catch.hpp>

using namespace coldstart;
using namespace coldstart::fakes;

namespace {

const TempFile& some_file() {
    static const TempFile file(4096);
    return file;
}

PutDrive drive(const std::string& id, bool root = false) {
    PutDrive put;
    put.disk.id = id;
    put.disk.path = some_file().path();
    put.disk.is_root = root;
    return put;
}

PutNetworkInterface network(const std::string& id, const std::string& tap,
                            const std::string& mac = "") {
    PutNetworkInterface put;
    put.net.kind = NetConfig::Kind::tap;
    put.net.id = id;
    put.net.tap = tap;
    put.net.mac = mac;
    return put;
}

PutMachineConfig machine(std::uint32_t cpus, std::uint64_t mib) {
    PutMachineConfig put;
    put.value.vcpu_count = cpus;
    put.value.mem_size_mib = mib;
    return put;
}

std::vector<std::string> drive_ids(const Configuration& configuration) {
    std::vector<std::string> ids;
    for (const DiskConfig& disk : configuration.config().disks)
        ids.push_back(disk.id);
    return ids;
}

using Ids = std::vector<std::string>;

} // namespace

TEST_CASE("the root drive comes first, and there is one", "[configuration]") {
    Configuration c({}, Configuration::Hold::no);
    c.apply(drive("a"));
    c.apply(drive("b"));
    c.apply(drive("root", true));
    CHECK(drive_ids(c) == Ids{"root", "a", "b"});
    CHECK_THROWS_WITH(c.apply(drive("other", true)), Catch::Contains("root device already"));
    CHECK_THROWS_AS(c.apply(drive("a", true)), Error);
    CHECK(drive_ids(c) == Ids{"root", "a", "b"});

    PutDrive again = drive("a");
    again.disk.read_only = true;
    c.apply(again); // in its place
    CHECK(drive_ids(c) == Ids{"root", "a", "b"});
    CHECK(c.config().disks[1].read_only);

    c.apply(drive("root")); // no root any more: another may be
    c.apply(drive("b", true));
    CHECK(c.config().disks.front().id == "b");

    PutDrive missing = drive("c");
    missing.disk.path = some_file().path() + ".not-there";
    CHECK_THROWS_AS(c.apply(missing), Error);
    CHECK(c.config().disks.size() == 3);
}

TEST_CASE("cards have addresses and interfaces of their own", "[configuration]") {
    Configuration c({}, Configuration::Hold::no);
    c.apply(network("one", "tap1", "06:00:AC:10:00:02"));
    CHECK(c.config().nets[0].mac == "06:00:ac:10:00:02");
    CHECK_THROWS_WITH(c.apply(network("two", "tap2", "06:00:ac:10:00:02")),
                      Catch::Contains("already in use"));
    CHECK_THROWS_WITH(c.apply(network("two", "tap1")), Catch::Contains("in use by \"one\""));
    CHECK_THROWS_AS(c.apply(network("two", "tap2", "no address")), Error);
    CHECK(c.config().nets.size() == 1);
    c.apply(network("two", "tap2", "06:00:ac:10:00:03"));
    c.apply(network("one", "tap1", "06:00:ac:10:00:02")); // its own again
    CHECK(c.config().nets.size() == 2);
    CHECK_THROWS_AS(c.apply(network("one", "tap1", "06:00:ac:10:00:03")), Error);
    CHECK(c.config().nets[0].mac == "06:00:ac:10:00:02");
}

TEST_CASE("balloon and memory know of each other", "[configuration]") {
    Configuration c({}, Configuration::Hold::no);
    c.apply(machine(1, 128));
    CHECK_THROWS_AS(c.apply(PutBalloon{{.amount_mib = 129}}), Error);
    CHECK_FALSE(c.config().balloon);
    c.apply(PutBalloon{{.amount_mib = 128}});
    CHECK_THROWS_AS(c.apply(machine(2, 127)), Error);
    CHECK(c.config().memory_bytes == 128 * MiB);
    CHECK(c.config().cpus == 1);
    c.apply(PutBalloon{{.amount_mib = 64}});
    c.apply(machine(2, 64));
    CHECK(c.config().cpus == 2);
}

TEST_CASE("a machine's numbers are within their limits", "[configuration]") {
    Configuration c({}, Configuration::Hold::no);
    c.apply(machine(4, 256));
    CHECK_THROWS_AS(c.apply(machine(0, 256)), Error);
    CHECK_THROWS_AS(c.apply(machine(33, 256)), Error);
    CHECK_THROWS_AS(c.apply(machine(1, 0)), Error);
    PutMachineConfig odd = machine(3, 256);
    odd.value.smt = true;
    CHECK_THROWS_AS(c.apply(odd), Error);
    PutMachineConfig huge = machine(2, 255);
    huge.value.huge_pages = HugePages::hugetlbfs_2m;
    CHECK_THROWS_AS(c.apply(huge), Error);
    CHECK(c.config().cpus == 4);
    CHECK(c.config().huge_pages == HugePages::none);

    PatchMachineConfig patch;
    patch.smt = true;
    c.apply(patch); // the rest stays
    CHECK(c.config().smt);
    CHECK(c.config().cpus == 4);
    patch = {};
    patch.vcpu_count = 3; // with threads
    CHECK_THROWS_AS(c.apply(patch), Error);
    CHECK(c.config().cpus == 4);
}

TEST_CASE("the metadata service stands behind interfaces that are there", "[configuration]") {
    Configuration c({}, Configuration::Hold::no);
    PutMmdsConfig put;
    CHECK_THROWS_AS(c.apply(put), Error); // none named
    put.mmds.interfaces = {"one"};
    CHECK_THROWS_WITH(c.apply(put), Catch::Contains("no interface \"one\""));
    CHECK_FALSE(c.config().mmds);
    c.apply(network("one", "tap1"));
    c.apply(put);
    for (const char* address : {"10.0.0.1", "169.254.0.255", "169.254.255.0", "nonsense", ""}) {
        put.mmds.ipv4_address = address;
        CHECK_THROWS_AS(c.apply(put), Error);
    }
    CHECK(c.config().mmds->ipv4_address == "169.254.169.254");
    put.mmds.ipv4_address = "169.254.1.0";
    c.apply(put);
    CHECK(c.config().mmds->ipv4_address == "169.254.1.0");
}

TEST_CASE("the serial file that a request names is kept", "[configuration]") {
    VmConfig initial;
    initial.serial = {SerialConfig::Kind::file, "from-run", {}};
    Configuration c(initial, Configuration::Hold::no);
    c.apply(PutSerial{{}, TokenBucketConfig{100, 1000, 0}});
    CHECK_FALSE(c.keeps_serial_file());
    CHECK(c.config().serial.path == "from-run");
    CHECK(c.config().serial.limiter->size == 100);
    c.apply(PutSerial{"named", {}});
    CHECK(c.keeps_serial_file());
    CHECK(c.config().serial.path == "named");
}

TEST_CASE("a start needs a kernel or a firmware", "[configuration]") {
    Configuration c({}, Configuration::Hold::no);
    CHECK_THROWS_WITH(c.settled(), Catch::Contains("without kernel configuration"));
    PutBootSource put;
    put.kernel_path = some_file().path() + ".not-there";
    CHECK_THROWS_AS(c.apply(put), Error);
    CHECK(c.config().kernel_path.empty());
    put.kernel_path = some_file().path();
    put.command_line = "a\nb";
    CHECK_THROWS_AS(c.apply(put), Error);
    put.command_line = std::string(2048, 'x');
    CHECK_THROWS_AS(c.apply(put), Error);
    CHECK(c.config().kernel_path.empty());
    put.command_line = "quiet";
    c.apply(put);
    CHECK(c.settled().kernel_path == some_file().path());
    c.apply(PutDisplay{VgaKind::std_vga});
    CHECK_THROWS_WITH(c.settled(), Catch::Contains("display"));
}

TEST_CASE("what a board has of its own can't be chosen", "[configuration]") {
    Configuration c({}, Configuration::Hold::no);
    PutFirmware firmware;
    firmware.image_path = some_file().path();
    c.apply(firmware);
    PutPlatform put;
    put.acpi = AcpiHardware::reduced;
    c.apply(put);
    CHECK_THROWS_WITH(c.settled(), Catch::StartsWith("platform: acpi"));
    put.acpi = AcpiHardware::fixed;
    put.irqchip = IrqchipKind::split;
    c.apply(put);
    CHECK_THROWS_WITH(c.settled(), Catch::StartsWith("platform: irqchip"));
    put.irqchip = IrqchipKind::automatic;
    put.smm = SmmMode::on;
    c.apply(put);
    CHECK(c.settled().smm == SmmMode::on);

    Configuration micro({}, Configuration::Hold::no);
    PutBootSource source;
    source.kernel_path = some_file().path();
    micro.apply(source);
    put = {};
    put.irqchip = IrqchipKind::split;
    put.acpi = AcpiHardware::reduced;
    micro.apply(put);
    CHECK(micro.settled().acpi == AcpiHardware::reduced);
    put.smm = SmmMode::on;
    micro.apply(put);
    CHECK_THROWS_WITH(micro.settled(), Catch::Contains("PUT /firmware first"));
}
