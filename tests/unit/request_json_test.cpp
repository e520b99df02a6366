// JSON text and request bodies: what is taken, what it becomes, what is not.
// tests/unit/openapi_test.cpp tries every member of every body; here are values and the corners.
#include "api/json/json_reader.h"
#include "api/json/limiter_json.h"
#include "api/json/request_json.h"
#include "vmm/base/error.h"

#include <catch2/catch.hpp>
#include <string>

using namespace coldstart;
using Catch::Matchers::Contains;

namespace {

std::string nested(unsigned levels) {
    return std::string(levels, '[') + std::string(levels, ']');
}

template <typename Kind>
Kind parsed(BodyParser parse, const std::string& text,
            std::optional<std::string_view> id = std::nullopt) {
    return std::get<Kind>(parse(parse_json(text), id).request);
}

void refuses(BodyParser parse, const std::string& text, const std::string& why,
             std::optional<std::string_view> id = std::nullopt) {
    INFO(text);
    CHECK_THROWS_WITH(parse(parse_json(text), id), Contains(why));
}

} // namespace

TEST_CASE("json: one value and white space", "[json]") {
    CHECK(parse_json(" {\"a\":\t1}\r\n") == Json{{"a", 1}});
    for (const char* const good : {"null", "0", "\"\"", "[]", "{}", "-1", "1e2", "\"\\u00e9\"",
                                   "\"\\ud83d\\ude00\"", "\"\xc3\xa9\""})
        CHECK_NOTHROW(parse_json(good));
    for (const char* const bad :
         {"",         " ",         "{",         "}",        "{\"a\":1",    "{\"a\":1,}",
          "[1,]",     "{a:1}",     "{'a':1}",   "{} {}",    "{}x",         "01",
          "+1",       "1.",        ".5",        "NaN",      "Infinity",    "tru",
          "True",     "\"a",       "\"\t\"",    "\"\\x\"",  "\"\\ud800\"", "\"\\udc00x\"",
          "// c\n{}", "{/* c */}", "{\"a\" 1}", "{\"a\":}", "[1 2]"}) {
        INFO(bad);
        CHECK_THROWS_AS(parse_json(bad), Error);
    }
}

TEST_CASE("json: bytes that are no text are refused", "[json]") {
    CHECK_THROWS_WITH(parse_json(std::string_view("{}\0", 3)), Contains("NUL"));
    CHECK_THROWS_WITH(parse_json(std::string_view("\"a\0b\"", 5)), Contains("NUL"));
    CHECK_THROWS_WITH(parse_json("\xef\xbb\xbf{}"), Contains("byte order mark"));
    // Overlong, cut, a surrogate, beyond U+10FFFF, a lone byte; in values and in names.
    for (const char* const bad : {"\xc0\x80", "\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"}) {
        CHECK_THROWS_AS(parse_json(std::string("\"") + bad + "\""), Error);
        CHECK_THROWS_AS(parse_json(std::string("{\"") + bad + "\":1}"), Error);
    }
}

TEST_CASE("json: nesting has a limit, wherever it is", "[json]") {
    CHECK_NOTHROW(parse_json(nested(max_json_depth)));
    CHECK_THROWS_WITH(parse_json(nested(max_json_depth + 1)), Contains("nested"));
    CHECK_THROWS_AS(parse_json(nested(200000)), Error);
    CHECK_THROWS_AS(parse_json(std::string(200000, '[')), Error);
    std::string objects;
    for (unsigned i = 0; i < max_json_depth; ++i)
        objects += "{\"a\":";
    CHECK_NOTHROW(parse_json(objects + "1" + std::string(max_json_depth, '}')));
    CHECK_THROWS_AS(parse_json("[" + objects + "1" + std::string(max_json_depth, '}') + "]"),
                    Error);
}

TEST_CASE("json: a name stands once in an object", "[json]") {
    CHECK_THROWS_WITH(parse_json(R"({"a":1,"a":1})"), Contains("\"a\" twice"));
    CHECK_THROWS_AS(parse_json(R"({"b":[{"a":1,"c":{},"a":2}]})"), Error);
    CHECK_THROWS_AS(parse_json("{\"a\":1,\"\\u0061\":2}"), Error);
    CHECK_NOTHROW(parse_json(R"([{"a":1},{"a":{"a":1}}])"));
}

TEST_CASE("json: whole numbers keep their limits", "[json]") {
    constexpr std::uint64_t any = std::numeric_limits<std::uint64_t>::max();
    const auto read = [](const char* number, std::uint64_t max, std::uint64_t min = 0) {
        const Json json = parse_json(std::string("{\"n\":") + number + "}");
        return Members(json, "thing").required_integer("n", max, min);
    };
    CHECK(read("18446744073709551615", any) == any);
    CHECK(read("0", any) == 0);
    CHECK(read("68", 100, 68) == 68);
    for (const char* const bad : {"18446744073709551616", "-1", "-0", "1.0", "1e2", "0.5", "1E0",
                                  "-9223372036854775809", "1e400", "true", "\"1\"", "[1]", "{}"}) {
        INFO(bad);
        CHECK_THROWS_AS(read(bad, any), Error);
    }
    CHECK_THROWS_WITH(read("67", 100, 68), "thing: n: 67 is not within 68 to 100");
    CHECK_THROWS_AS(read("101", 100), Error);
    CHECK_THROWS_WITH(read("null", any), "thing: missing field \"n\"");
}

TEST_CASE("json: members are named in what is said of them", "[json]") {
    CHECK_THROWS_WITH(Members(parse_json("[]"), "thing"),
                      "thing: an object is expected, not an array");
    const Json json = parse_json(R"({"a":1,"b":null})");
    Members members(json, "thing");
    CHECK_FALSE(members.has("b"));
    CHECK_FALSE(members.boolean("b"));
    CHECK_THROWS_WITH(members.done(), "thing: unknown field \"a\"");
    CHECK_THROWS_WITH(members.text("a"), "thing: a: a string is expected, not a number");
    CHECK_NOTHROW(members.done());
    // What a client sends does not go into a line as it is.
    const Json odd = parse_json("{\"a\\nb\":1}");
    CHECK_THROWS_WITH(Members(odd, "thing").done(), !Contains("\n"));
}

TEST_CASE("requests: machine-config", "[json]") {
    const auto put = parsed<PutMachineConfig>(
        body::put_machine_config,
        R"({"vcpu_count":4,"mem_size_mib":1024,"smt":true,"track_dirty_pages":true,"huge_pages":"2M"})");
    CHECK(put.value.vcpu_count == 4);
    CHECK(put.value.mem_size_mib == 1024);
    CHECK(put.value.smt);
    CHECK(put.value.track_dirty_pages);
    CHECK(put.value.huge_pages == HugePages::hugetlbfs_2m);
    CHECK_FALSE(put.value.cpu_template);

    const auto patch = parsed<PatchMachineConfig>(body::patch_machine_config, R"({"smt":false})");
    CHECK(patch.smt == false);
    CHECK_FALSE(patch.vcpu_count);
    CHECK_FALSE(patch.huge_pages);
    refuses(body::patch_machine_config, "{}", "empty");
    refuses(body::patch_machine_config, R"({"smt":null})", "empty");
    refuses(body::put_machine_config, R"({"vcpu_count":256,"mem_size_mib":1})", "vcpu_count");
    refuses(body::put_machine_config, R"({"vcpu_count":1,"mem_size_mib":1,"cpu_template":"T9"})",
            "unknown value");
    CHECK(body::put_machine_config(
              parse_json(R"({"vcpu_count":1,"mem_size_mib":1,"cpu_template":"None"})"), {})
              .deprecated);
}

TEST_CASE("requests: drives", "[json]") {
    const auto put = parsed<PutDrive>(
        body::put_drive,
        R"({"drive_id":"d_1","is_root_device":true,"path_on_host":"/p","is_read_only":true,)"
        R"("partuuid":"u","cache_type":"Writeback","io_engine":"Async","socket":null,)"
        R"("rate_limiter":{"bandwidth":{"size":1,"refill_time":2,"one_time_burst":3,"x":0},"ops":null}})",
        "d_1");
    CHECK(put.disk.id == "d_1");
    CHECK(put.disk.path == "/p");
    CHECK((put.disk.is_root && put.disk.read_only && put.disk.async_engine));
    CHECK(put.disk.partuuid == "u");
    CHECK(put.disk.cache == DiskCache::writeback);
    CHECK(put.disk.limiter.bandwidth == TokenBucketConfig{1, 2, 3});
    CHECK_FALSE(put.disk.limiter.operations);

    const std::string plain = R"({"drive_id":"d","is_root_device":false,"path_on_host":"/p"})";
    const auto defaults = parsed<PutDrive>(body::put_drive, plain, "d");
    CHECK(defaults.disk.cache == DiskCache::unsafe);
    CHECK_FALSE((defaults.disk.read_only || defaults.disk.async_engine || defaults.disk.is_root));
    CHECK(defaults.disk.limiter == RateLimiterConfig{});
    refuses(body::put_drive, plain, "is not the id in the path", "e");
    refuses(body::put_drive,
            R"({"drive_id":"d","is_root_device":false,"path_on_host":"/p","socket":"/s"})",
            "vhost-user", "d");
    refuses(body::put_drive,
            R"({"drive_id":"d","is_root_device":false,"path_on_host":"/p","rate_limiter":{"x":1}})",
            "rate_limiter: unknown field", "d");

    const auto patch =
        parsed<PatchDrive>(body::patch_drive, R"({"drive_id":"d","path_on_host":"/q"})", "d");
    CHECK(patch.path == "/q");
    refuses(body::patch_drive, R"({"drive_id":"d"})", "changes nothing", "d");
    refuses(body::patch_drive, R"({"drive_id":"d","path_on_host":"/q","is_read_only":true})",
            "unknown field", "d");
}

TEST_CASE("requests: network interfaces", "[json]") {
    const auto tap = parsed<PutNetworkInterface>(
        body::put_network_interface,
        R"({"iface_id":"eth0","host_dev_name":"tap0","guest_mac":"06:00:00:00:00:01","mtu":1500,)"
        R"("rx_rate_limiter":{"ops":{"size":9,"refill_time":8}},"tx_rate_limiter":{}})",
        "eth0");
    CHECK(tap.net.kind == NetConfig::Kind::tap);
    CHECK(tap.net.tap == "tap0");
    CHECK(tap.net.mtu == 1500);
    CHECK(tap.net.receive_limiter.operations == TokenBucketConfig{9, 8, 0});
    CHECK(tap.net.transmit_limiter == RateLimiterConfig{});
    const auto user = parsed<PutNetworkInterface>(body::put_network_interface,
                                                  R"({"iface_id":"n","backend":"user"})", "n");
    CHECK(user.net.kind == NetConfig::Kind::user);
    refuses(body::put_network_interface, R"({"iface_id":"n"})", "host_dev_name", "n");
    refuses(body::put_network_interface, R"({"iface_id":"n","host_dev_name":""})", "host_dev_name",
            "n");
    refuses(body::put_network_interface, R"({"iface_id":"n","host_dev_name":"a234567890123456"})",
            "15 characters", "n");
    refuses(body::put_network_interface,
            R"({"iface_id":"n","backend":"user","host_dev_name":"tap0"})", "user network", "n");
    CHECK_NOTHROW(
        parsed<PatchNetworkInterface>(body::patch_network_interface, R"({"iface_id":"n"})", "n"));
}

TEST_CASE("requests: a path can't be cut by a NUL", "[json]") {
    refuses(body::put_boot_source, R"({"kernel_image_path":"/k\u0000x"})", "NUL");
    refuses(body::put_drive, R"({"drive_id":"d","is_root_device":false,"path_on_host":"/p\u0000"})",
            "NUL", "d");
}

TEST_CASE("requests: vsock, balloon, entropy, metadata service", "[json]") {
    const std::string vsock = R"({"guest_cid":3,"uds_path":"/v"})";
    CHECK(parsed<PutVsock>(body::put_vsock, vsock).vsock.uds_path == "/v");
    CHECK_FALSE(body::put_vsock(parse_json(vsock), {}).deprecated);
    CHECK(body::put_vsock(parse_json(R"({"guest_cid":3,"uds_path":"/v","vsock_id":"a-b"})"), {})
              .deprecated);
    refuses(body::put_vsock, R"({"guest_cid":2,"uds_path":"/v"})", "guest_cid");
    refuses(body::put_vsock, R"({"guest_cid":4294967295,"uds_path":"/v"})", "guest_cid");

    const auto balloon = parsed<PutBalloon>(
        body::put_balloon,
        R"({"amount_mib":8,"deflate_on_oom":true,"stats_polling_interval_s":65535})");
    CHECK(balloon.balloon.amount_mib == 8);
    CHECK(balloon.balloon.statistics_interval_s == 65535);
    CHECK_FALSE(balloon.balloon.free_page_hinting);
    refuses(body::put_balloon, R"({"amount_mib":4294967296,"deflate_on_oom":true})", "amount_mib");
    CHECK(parsed<StartBalloonHinting>(body::start_balloon_hinting, "{}").acknowledge_on_stop);
    refuses(body::stop_balloon_hinting, R"({"acknowledge_on_stop":true})", "unknown field");

    const auto entropy = parsed<PutEntropy>(
        body::put_entropy, R"({"rate_limiter":{"bandwidth":{"size":0,"refill_time":0}}})");
    REQUIRE(entropy.limiter.bandwidth);
    CHECK_FALSE(entropy.limiter.bandwidth->limits());
    CHECK(limiter_json(entropy.limiter).is_null());

    const auto mmds =
        parsed<PutMmdsConfig>(body::put_mmds_config, R"({"network_interfaces":["a","b"]})");
    CHECK(mmds.mmds.interfaces == std::vector<std::string>{"a", "b"});
    CHECK(mmds.mmds.ipv4_address == "169.254.169.254");
    CHECK(body::put_mmds_config(parse_json(R"({"network_interfaces":["a"]})"), {}).deprecated);
    CHECK_FALSE(
        body::put_mmds_config(parse_json(R"({"network_interfaces":["a"],"version":"V2"})"), {})
            .deprecated);
    refuses(body::put_mmds_config, R"({"network_interfaces":"a"})", "array");
    refuses(body::put_mmds_config, R"({"network_interfaces":[null]})", "array");
}

TEST_CASE("requests: log levels in any case", "[json]") {
    const auto level = [](const char* name) {
        return parsed<PutLogger>(body::put_logger, std::string(R"({"level":")") + name + "\"}")
            .logger.level;
    };
    CHECK(level("WARNING") == "warn");
    CHECK(level("Warn") == "warn");
    CHECK(level("trace") == "debug");
    CHECK(level("oFF") == "off");
    CHECK_THROWS_AS(level("verbose"), Error);
    CHECK_THROWS_AS(level(""), Error);
    CHECK_FALSE(parsed<PutLogger>(body::put_logger, "{}").logger.level);
}

TEST_CASE("requests: what is not built says so", "[json]") {
    CHECK(parsed<NotBuilt>(body::snapshots, "{}").what == "snapshots");
    CHECK(parsed<NotBuilt>(body::put_cpu_config, R"({"msr_modifiers":[{}]})")
              .what.find("CPU templates") != std::string::npos);
    CHECK_NOTHROW(parsed<PutCpuConfig>(body::put_cpu_config, R"({"msr_modifiers":[]})"));
    refuses(body::snapshots, "[]", "object");
}

TEST_CASE("requests: our own", "[json]") {
    const auto platform = parsed<PutPlatform>(
        body::put_platform, R"({"board":"pc","boot_mode":"firmware","on_reboot":"exit"})");
    CHECK(platform.board == BoardKind::pc);
    CHECK(platform.boot == BootMode::firmware);
    CHECK(platform.on_reboot == OnReboot::exit);
    CHECK_FALSE(parsed<PutPlatform>(body::put_platform, "{}").board);
    const auto loading =
        parsed<PutPlatform>(body::put_platform, R"({"load":"map","kernel_cache":"off"})");
    CHECK(loading.load == LoadMode::map);
    CHECK(loading.kernel_cache == "off");
    const auto chips = parsed<PutPlatform>(body::put_platform,
                                           R"({"irqchip":"split","acpi":"fixed","smm":"off"})");
    CHECK(chips.irqchip == IrqchipKind::split);
    CHECK(chips.acpi == AcpiHardware::fixed);
    CHECK(chips.smm == SmmMode::off);
    refuses(body::put_platform, R"({"load":"quickly"})", "expected one of auto");
    refuses(body::put_platform, R"({"acpi":"none"})", "expected one of auto");
    refuses(body::put_platform, R"({"kernel_cache":""})", "off");
    CHECK(parsed<PutDisplay>(body::put_display, R"({"adapter":"std"})").vga == VgaKind::std_vga);
    refuses(body::put_display, "{}", "missing field");
    CHECK(parsed<PutConsole>(body::put_console, R"({"input":"ls\n"})").text == "ls\n");
    CHECK(parsed<PutConsole>(body::put_console, R"({"input":"a\u0000"})").text ==
          std::string("a\0", 2));
    CHECK(parsed<PutAction>(body::put_action, R"({"action_type":"Stop"})").action == Action::stop);
    refuses(body::put_action, R"({"action_type":"stop"})", "expected one of InstanceStart");
    refuses(body::put_action, R"({"action_type":"Stop","payload":1})", "unknown field");
}
