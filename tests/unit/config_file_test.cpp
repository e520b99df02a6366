// Configuration files: what is taken, in which order, what is not.
#include "api/http/api_routes.h"
#include "api/json/config_file.h"
#include "api/json/json_reader.h"
#include "vmm/base/error.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

using namespace coldstart;
using Catch::Matchers::Contains;

namespace {

const std::string minimal_file =
    R"({"boot-source":{"kernel_image_path":"/k"},"drives":[],"machine-config":)"
    R"({"vcpu_count":2,"mem_size_mib":256}})";

} // namespace

TEST_CASE("config file: requests in the order they are to be made", "[json]") {
    const std::vector<Request> requests = parse_config_file(
        R"({"entropy":{},"mmds-config":{"network_interfaces":["e"]},"balloon":)"
        R"({"amount_mib":1,"deflate_on_oom":false},"vsock":{"guest_cid":3,"uds_path":"/v"},)"
        R"("network-interfaces":[{"iface_id":"e","host_dev_name":"t"}],"drives":[)"
        R"({"drive_id":"a","is_root_device":false,"path_on_host":"/a"},)"
        R"({"drive_id":"b","is_root_device":true,"path_on_host":"/b"}],)"
        R"("boot-source":{"kernel_image_path":"/k"},"cpu-config":{},)"
        R"("machine-config":{"vcpu_count":1,"mem_size_mib":64},"metrics":{"metrics_path":"/m"},)"
        R"("logger":{"log_path":"/l"}})");
    REQUIRE(requests.size() == 12);
    CHECK(std::holds_alternative<PutLogger>(requests[0]));
    CHECK(std::holds_alternative<PutMetrics>(requests[1]));
    CHECK(std::holds_alternative<PutMachineConfig>(requests[2]));
    CHECK(std::holds_alternative<PutCpuConfig>(requests[3]));
    CHECK(std::holds_alternative<PutBootSource>(requests[4]));
    CHECK(std::get<PutDrive>(requests[5]).disk.id == "a");
    CHECK(std::get<PutDrive>(requests[6]).disk.id == "b");
    CHECK(std::holds_alternative<PutNetworkInterface>(requests[7]));
    CHECK(std::holds_alternative<PutVsock>(requests[8]));
    CHECK(std::holds_alternative<PutBalloon>(requests[9]));
    CHECK(std::holds_alternative<PutMmdsConfig>(requests[10]));
    CHECK(std::holds_alternative<PutEntropy>(requests[11]));
}

TEST_CASE("config file: sections that must be there, may be, and are not known", "[json]") {
    CHECK(parse_config_file(minimal_file).size() == 2);
    CHECK_THROWS_WITH(parse_config_file(R"({"drives":[]})"), Contains("boot-source"));
    CHECK_THROWS_WITH(parse_config_file(R"({"boot-source":{"kernel_image_path":"/k"}})"),
                      Contains("drives"));
    // A firmware boots without either.
    CHECK(parse_config_file(R"({"firmware":{"image_path":"/f"}})").size() == 1);
    for (const char* const bad : {R"({"drives":null,"boot-source":{"kernel_image_path":"/k"}})",
                                  R"({"drives":[],"boot-source":null})", R"({"firmware":null})"})
        CHECK_THROWS_WITH(parse_config_file(bad), Contains("no section"));
    const std::string start = minimal_file.substr(0, minimal_file.size() - 1);
    CHECK(parse_config_file(start + R"(,"no-such-section":{"x":1},"vsock":null})").size() == 2);
    for (const char* const bad :
         {R"(,"vsock":{"guest_cid":3,"uds_path":"/v","x":1}})", R"(,"balloon":{}})",
          R"(,"network-interfaces":{}})", R"(,"network-interfaces":[1]})", R"(,"entropy":[]})",
          R"(,"logger":"x"})", R"(,"drives":[]})"}) {
        INFO(bad);
        CHECK_THROWS_AS(parse_config_file(start + bad), Error);
    }
    for (const char* const bad : {"", "[]", "null", "{}", "1"})
        CHECK_THROWS_AS(parse_config_file(bad), Error);
}

TEST_CASE("config file: a file as Firecracker's tutorial has it", "[json]") {
    const std::vector<Request> requests = parse_config_file(R"({
      "boot-source": {"kernel_image_path": "vmlinux.bin", "boot_args": "console=ttyS0 reboot=k panic=1",
                      "initrd_path": null},
      "drives": [{"drive_id": "rootfs", "partuuid": null, "is_root_device": true,
                  "cache_type": "Unsafe", "is_read_only": false, "path_on_host": "rootfs.ext4",
                  "io_engine": "Sync", "rate_limiter": null, "socket": null}],
      "machine-config": {"vcpu_count": 2, "mem_size_mib": 1024, "smt": false,
                         "track_dirty_pages": false, "huge_pages": "None"},
      "cpu-config": null, "balloon": null, "network-interfaces": [], "vsock": null,
      "logger": null, "metrics": null, "mmds-config": null, "entropy": null, "pmem": [],
      "memory-hotplug": null})");
    REQUIRE(requests.size() == 3);
    CHECK(std::get<PutDrive>(requests[2]).disk.is_root);
}

TEST_CASE("config file: what GET /vm/config says can be one", "[json]") {
    VmConfig config;
    config.kernel_path = "/k";
    config.disks.resize(1);
    config.disks[0].id = "d";
    config.disks[0].path = "/d";
    config.nets.resize(1);
    config.nets[0].id = "n";
    config.vsock = VsockConfig{7, "/v"};
    config.board = BoardKind::pc;
    config.firmware_path = "/f";
    const std::vector<Request> requests = parse_config_file(config_json(config).dump());
    CHECK(requests.size() == 8);
    CHECK(std::get<PutVsock>(requests[6]).vsock.guest_cid == 7);
}

TEST_CASE("config file: how a kernel is loaded comes back", "[json]") {
    VmConfig config;
    config.kernel_path = "/k";
    CHECK_FALSE(config_json(config).contains("platform"));
    config.load = LoadMode::copy;
    config.kernel_cache_path = "";
    config.irqchip = IrqchipKind::kernel;
    config.acpi = AcpiHardware::reduced;
    config.smm = SmmMode::on;
    const std::vector<Request> requests = parse_config_file(config_json(config).dump());
    const auto platform = std::find_if(requests.begin(), requests.end(), [](const Request& one) {
        return std::holds_alternative<PutPlatform>(one);
    });
    REQUIRE(platform != requests.end());
    CHECK(std::get<PutPlatform>(*platform).load == LoadMode::copy);
    CHECK(std::get<PutPlatform>(*platform).kernel_cache == "off");
    CHECK(std::get<PutPlatform>(*platform).irqchip == IrqchipKind::kernel);
    CHECK(std::get<PutPlatform>(*platform).acpi == AcpiHardware::reduced);
    CHECK(std::get<PutPlatform>(*platform).smm == SmmMode::on);
}

TEST_CASE("docs/api.md: what it shows is taken", "[json]") {
    std::ifstream file("docs/api.md"); // unit tests run from the root
    REQUIRE(file);
    unsigned files = 0, requests = 0;
    std::string line, block;
    bool in_json = false;
    while (std::getline(file, line)) {
        if (line.starts_with("```")) {
            if (in_json) {
                INFO(block);
                CHECK_FALSE(parse_config_file(block).empty());
                ++files;
            }
            in_json = line == "```json";
            block.clear();
        } else if (in_json) {
            block += line + "\n";
        } else if (line.starts_with("api PUT ") || line.starts_with("api PATCH ")) {
            INFO(line);
            const std::size_t method = 4, target = line.find(' ', method) + 1;
            const std::size_t body = line.find('\'') + 1;
            const RouteMatch match =
                find_route(line.substr(method, target - 1 - method),
                           std::string_view(line).substr(target, body - 2 - target));
            REQUIRE(match.route != nullptr);
            CHECK_NOTHROW(match.route->parse(
                parse_json(std::string_view(line).substr(body, line.rfind('\'') - body)),
                match.id));
            ++requests;
        }
    }
    CHECK(files == 4);
    CHECK(requests == 12);
}
