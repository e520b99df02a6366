// Answers are as the document of the control socket describes them.
#include "api/http/openapi.h"
#include "api/json/answer_json.h"
#include "api/json/json_reader.h"
#include "tests/unit/json_schema.h"

#include <catch2/catch.hpp>
#include <string>

using namespace coldstart;
using coldstart::testing::fault_of;

namespace {

const Json& document() {
    static const Json parsed = parse_json(openapi_document());
    return parsed;
}

RateLimiterConfig limiter() {
    return {TokenBucketConfig{1000, 100, 5}, TokenBucketConfig{10, 100, 0}};
}

VmConfig filled_config() {
    VmConfig config;
    config.kernel_path = "/kernel";
    config.initrd_path = "/initrd";
    config.command_line = "";
    config.huge_pages = HugePages::transparent;
    config.disks.resize(2);
    DiskConfig &root = config.disks[0], &data = config.disks[1];
    root.id = "rootfs";
    root.path = "/root";
    root.limiter = limiter();
    root.is_root = true;
    root.partuuid = "0eaa91a0-01";
    data.path = "/data";
    data.read_only = true;
    data.boot_index = 2;
    data.serial = "S1";
    data.cache = DiskCache::none;
    data.bus = DiskBus::sata;
    data.async_engine = true;
    config.nets.resize(2);
    NetConfig& net = config.nets[0];
    net.kind = NetConfig::Kind::tap;
    net.id = "eth0";
    net.tap = "tap0";
    net.mac = "06:00:00:00:00:01";
    net.bootindex = 1;
    net.mtu = 1400;
    net.receive_limiter = limiter();
    config.vsock = VsockConfig{3, "/vsock"};
    config.balloon = BalloonConfig{64, true, 1, true, true};
    config.mmds = MmdsConfig{{"eth0"}, MmdsConfig::Version::v2, "169.254.169.254", true};
    config.rng_limiter = limiter();
    config.board = BoardKind::pc;
    config.boot = BootMode::firmware;
    config.firmware_path = "/firmware";
    config.cdrom_path = "/cd";
    config.vga = VgaKind::std_vga;
    return config;
}

/// As the schema of what this GET answers has it, and nothing besides.
void check_answer(const std::string& path, const Answer& answer) {
    const std::string text = answer_json(answer);
    INFO("GET " << path << ": " << text);
    const Json& schema = document()["paths"]
                             .at(path)
                             .at("get")
                             .at("responses")
                             .at("200")
                             .at("content")
                             .at("application/json")
                             .at("schema");
    CHECK(fault_of(document(), schema, parse_json(text), true) == "");
}

} // namespace

TEST_CASE("openapi: answers are as described", "[openapi]") {
    for (const VmState state : {VmState::not_started, VmState::running, VmState::paused})
        check_answer("/", InstanceInfo{"vm1", state});
    check_answer("/version", VersionInfo{});
    check_answer("/vm/config", VmConfigAnswer{VmConfig{}});
    check_answer("/vm/config", VmConfigAnswer{filled_config()});
    check_answer("/machine-config", MachineConfig{});
    check_answer("/machine-config", MachineConfig{.vcpu_count = 32,
                                                  .mem_size_mib = 1024,
                                                  .smt = true,
                                                  .track_dirty_pages = true,
                                                  .huge_pages = HugePages::hugetlbfs_2m,
                                                  .cpu_template = "None"});
    check_answer("/balloon", BalloonConfig{64, true, 5, true, false});
    check_answer("/balloon/hinting/status", BalloonHintingAnswer{0, std::nullopt});
    check_answer("/balloon/hinting/status", BalloonHintingAnswer{2, 1});
    check_answer("/mmds", JsonText{R"({"latest":{"a":[1,null]}})"});
    check_answer("/mmds", JsonText{"{}"});
}

TEST_CASE("openapi: balloon statistics, with and without a guest", "[openapi]") {
    BalloonStatisticsAnswer answer{64, 32, 16384, 8192, {}};
    check_answer("/balloon/statistics", answer);
    answer.from_guest = {{"swap_in", 0}, {"free_memory", 1u << 30}, {"direct_reclaim", 7}};
    check_answer("/balloon/statistics", answer);
}

TEST_CASE("openapi: a refusal is as described, whatever bytes it tells of", "[openapi]") {
    const Json& schema = document()["components"]["schemas"]["Error"];
    for (const char* const message : {"a: \"b\" is wrong", "\xff\xfe", "line\nbreak"})
        CHECK(fault_of(document(), schema, parse_json(answer_json(Refusal{message})), true) == "");
    CHECK(answer_json(NoContent{}) == "");
}
