#include "vmm/cli/ctl/console.h"
#include "vmm/cli/ctl/format.h"

#include <catch2/catch.hpp>

using namespace coldstart;
using Catch::Contains;

TEST_CASE("ctl: columns are as wide as what stands in them", "[ctl]") {
    TextTable table;
    table.add({"a", "1", "x"});
    table.add({"long", "", "y"});
    table.add({"b"});
    CHECK(table.text() == "a     1  x\nlong     y\nb\n");

    TextTable numbers;
    numbers.align_right(1);
    numbers.add({"few", "7"});
    numbers.add({"many", "1234"});
    CHECK(numbers.text() == "few      7\nmany  1234\n");
    CHECK(TextTable().text().empty());
}

TEST_CASE("ctl: a column in which nothing stands takes no room", "[ctl]") {
    TextTable table;
    table.align_right(2);
    table.add({"a", "", "1"});
    table.add({"bb", "", "22"});
    CHECK(table.text() == "a    1\nbb  22\n");
}

TEST_CASE("ctl: numbers have units", "[ctl]") {
    CHECK(mib_text(0) == "0 MiB");
    CHECK(mib_text(512) == "512 MiB");
    CHECK(mib_text(2048) == "2 GiB");
    CHECK(mib_text(1536) == "1536 MiB");
    CHECK(bytes_text(0) == "0 B");
    CHECK(bytes_text(1023) == "1023 B");
    CHECK(bytes_text(1024) == "1.0 KiB");
    CHECK(bytes_text(13421772800) == "12.5 GiB");
    CHECK(bytes_text(~std::uint64_t{0}) == "16777216.0 TiB");
    CHECK(duration_text(35) == "35 us");
    CHECK(duration_text(18211) == "18.211 ms");
    CHECK(duration_text(1500000) == "1.500 s");
}

TEST_CASE("ctl: the machine as a table", "[ctl]") {
    const Json instance = parse_json(
        R"({"id":"vm1","state":"Running","vmm_version":"1.16.0","app_name":"Firecracker"})");
    const Json config = parse_json(R"({
        "balloon":{"amount_mib":64,"deflate_on_oom":true,"stats_polling_interval_s":5,
                   "free_page_hinting":false,"free_page_reporting":true},
        "drives":[
            {"drive_id":"rootfs","partuuid":null,"is_root_device":true,"cache_type":"Unsafe",
             "is_read_only":true,"path_on_host":"/srv/root.ext4",
             "rate_limiter":{"bandwidth":{"size":1048576,"one_time_burst":null,"refill_time":100},
                             "ops":null},"io_engine":"Sync","socket":null},
            {"drive_id":"d","partuuid":null,"is_root_device":false,"cache_type":"Writeback",
             "is_read_only":false,"path_on_host":"/srv/d","rate_limiter":null,"io_engine":"Sync",
             "socket":null,"bootindex":3}],
        "boot-source":{"kernel_image_path":"/boot/vmlinuz","initrd_path":null,"boot_args":"quiet"},
        "cpu-config":null,"logger":null,
        "machine-config":{"vcpu_count":2,"mem_size_mib":1024,"smt":true,
                          "track_dirty_pages":false,"huge_pages":"2M"},
        "metrics":null,
        "mmds-config":{"version":"V2","network_interfaces":["eth0","eth1"],
                       "ipv4_address":"169.254.169.254","imds_compat":false},
        "network-interfaces":[{"iface_id":"eth0","host_dev_name":"tap0",
            "guest_mac":"02:00:00:00:00:01","mtu":1400,"rx_rate_limiter":null,
            "tx_rate_limiter":{"bandwidth":null,"ops":{"size":50,"refill_time":1000}}}],
        "vsock":{"guest_cid":3,"uds_path":"/run/v"},"entropy":{"rate_limiter":null},
        "pmem":[],"memory-hotplug":null})");
    CHECK(info_text(instance, config) ==
          "id         vm1\n"
          "state      Running\n"
          "API        1.16.0\n"
          "machine    2 CPUs, 1 GiB, SMT, huge pages 2M\n"
          "kernel     /boot/vmlinuz\n"
          "arguments  quiet\n"
          "drive      rootfs  /srv/root.ext4  root, read-only, at most 10.0 MiB/s\n"
          "drive      d       /srv/d          read-write, boot index 3\n"
          "network    eth0    tap tap0        02:00:00:00:00:01, MTU 1400, sends at most 50 "
          "operations/s\n"
          "vsock      CID 3   /run/v\n"
          "balloon    64 MiB, deflates when memory is short, free page reporting, statistics every "
          "5 s\n"
          "entropy    yes\n"
          "metadata   V2 at 169.254.169.254 on eth0, eth1\n");
    CHECK(drive_text(config["drives"][1]) == "id      d\n"
                                             "file    /srv/d\n"
                                             "use     read-write, boot index 3\n"
                                             "cache   Writeback\n"
                                             "engine  Sync\n");
}

TEST_CASE("ctl: our own sections are told", "[ctl]") {
    const Json config = parse_json(R"({
        "platform":{"board":"pc","boot_mode":"firmware","on_reboot":"exit"},
        "firmware":{"image_path":"OVMF","nvram_path":"vars","nvram_template_path":null},
        "boot-source":{"kernel_image_path":"","initrd_path":null,"boot_args":null},
        "cdrom":{"path_on_host":"a.iso"},"display":{"adapter":"std"},
        "network-interfaces":[{"iface_id":"n","host_dev_name":null,"backend":"user"}]})");
    CHECK(info_text(Json::object(), config) ==
          "platform   board pc, boot by firmware, on reboot exit\n"
          "firmware   OVMF\n"
          "variables  vars\n"
          "cdrom      a.iso\n"
          "network    n  user\n"
          "display    std\n");
}

TEST_CASE("ctl: an answer of another form than expected is no accident", "[ctl]") {
    for (const char* text : {"null", "3", "[]", "[1]", "\"x\"", "{}",
                             R"({"drives":3,"network-interfaces":[3,null],"vsock":[],"balloon":7,
                                 "machine-config":"x","mmds-config":{"network_interfaces":5},
                                 "platform":true,"entropy":[],"event":[],"time_us":"x"})"}) {
        const Json json = parse_json(text);
        CHECK_NOTHROW(info_text(json, json));
        CHECK_NOTHROW(drive_text(json));
        CHECK_NOTHROW(balloon_text(json, json));
        CHECK_NOTHROW(event_text(json));
        CHECK_NOTHROW(timeline_text(json));
    }
    CHECK_NOTHROW(event_text(Json(Json::value_t::discarded)));
}

TEST_CASE("ctl: balloon statistics have units where they count bytes", "[ctl]") {
    const Json balloon = parse_json(R"({"amount_mib":64,"deflate_on_oom":false})");
    CHECK(balloon_text(balloon, nullptr) == "configured  64 MiB\n");
    const Json statistics = parse_json(
        R"({"target_pages":16384,"actual_pages":8192,"target_mib":64,"actual_mib":32,
            "free_memory":104857600,"major_faults":12,"swap_in":0})");
    CHECK(balloon_text(balloon, statistics) == "target        64 MiB\n"
                                               "taken         32 MiB\n"
                                               "configured    64 MiB\n"
                                               "free memory   100.0 MiB\n"
                                               "major faults  12\n"
                                               "swap in       0 B\n");
}

TEST_CASE("ctl: an event is a line, whatever the guest put into it", "[ctl]") {
    CHECK(event_text(parse_json(R"({"seq":3,"time_us":18211,"event":"post_code","code":1})")) ==
          "    0.018211 s  post_code     0x01");
    CHECK(event_text(parse_json(R"({"seq":1,"time_us":12000000,"event":"started"})")) ==
          "   12.000000 s  started");
    CHECK(event_text(
              parse_json(R"({"seq":9,"time_us":1,"event":"exited","status":3,"text":"panic"})")) ==
          "    0.000001 s  exited        status 3, panic");
    CHECK(event_text(parse_json(R"({"event":"lost","count":5})")) ==
          "                lost          5");
    const std::string hostile =
        event_text(parse_json(R"({"time_us":1,"event":"ready","text":"\u001b[2J\nx"})"));
    CHECK_THAT(hostile, Contains("\\x1b[2J\\x0ax"));
    CHECK(hostile.find('\n') == std::string::npos);
}

TEST_CASE("ctl: the timeline says how long each step took", "[ctl]") {
    const Json timeline = parse_json(R"([{"seq":0,"time_us":900,"event":"created"},
        {"seq":1,"time_us":2900,"event":"started"},
        {"seq":2,"time_us":1002900,"event":"ready","text":"up"}])");
    CHECK(timeline_text(timeline) == "    0.000900 s    +900 us  created\n"
                                     "    0.002900 s  +2.000 ms  started\n"
                                     "    1.002900 s   +1.000 s  ready    up\n");
}

TEST_CASE("ctl: metrics as a table and as one object", "[ctl]") {
    constexpr std::string_view page = "# TYPE coldstart_up gauge\n"
                                      "coldstart_up 1\n"
                                      "# TYPE coldstart_block_read_bytes_total counter\n"
                                      "coldstart_block_read_bytes_total{device=\"rootfs\"} 4096\n"
                                      "load 0.5\n"
                                      "nonsense\n";
    CHECK(metrics_text(page) == "up                           1\n"
                                "block_read_bytes  rootfs  4096\n"
                                "load                       0.5\n");
    CHECK(json_text(metrics_json(page)) ==
          R"({"coldstart_up":1,"coldstart_block_read_bytes_total{device=\"rootfs\"}":4096,)"
          R"("load":0.5})");
    CHECK(metrics_text("").empty());
}

TEST_CASE("ctl: typed text is cut between characters", "[ctl]") {
    CHECK(whole_utf8("") == 0);
    CHECK(whole_utf8("abc") == 3);
    CHECK(whole_utf8("a\xc3\xa4") == 3);
    CHECK(whole_utf8("a\xc3") == 1);
    CHECK(whole_utf8("\xe2\x82") == 0);
    CHECK(whole_utf8("x\xf0\x9f\x98") == 1);
    CHECK(whole_utf8("\xf0\x9f\x98\x80") == 4);
    CHECK(whole_utf8("\x80\x80\x80\x80") == 4);
    CHECK(whole_utf8("a\x80") == 2);
}
