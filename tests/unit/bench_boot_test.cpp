// What `coldstart bench boot` starts, and how it knows that a guest is ready.
#include "vmm/base/error.h"
#include "vmm/cli/args.h"
#include "vmm/cli/bench/candidate.h"
#include "vmm/cli/bench/ready_watch.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace coldstart;
using Catch::Contains;
using Args = std::vector<std::string_view>;

namespace {

GuestSpec guest() {
    GuestSpec spec;
    spec.coldstart = {"/proc/self/exe"};
    spec.command_line = "quiet";
    spec.memory_bytes = 256 * MiB;
    spec.scratch = "/scratch";
    return spec;
}

BootFiles all_files() {
    BootFiles files;
    files.bzimage = "bz";
    files.elf = "elf";
    files.linux_entry = files.pvh_entry = true;
    files.initrd = "initrd";
    files.seabios = "seabios";
    files.ovmf = "ovmf";
    files.ovmf_template = "vars";
    files.grub_bios = "bios.img";
    files.grub_uefi = "uefi.img";
    return files;
}

bool has(const Words& words, const std::string& flag, const std::string& value) {
    const auto found = std::find(words.begin(), words.end(), flag);
    return found != words.end() && found + 1 != words.end() && found[1] == value;
}

BenchCommand bench(Args more) {
    more.insert(more.begin(), {"bench", "boot", "--kernel", "k"});
    return std::get<BenchCommand>(parse_command_line(more));
}

std::string refusal(const Args& all) {
    try {
        parse_command_line(all);
    } catch (const UsageError& error) {
        return error.what();
    }
    return "(accepted)";
}

} // namespace

TEST_CASE("bench: a text on the console is found across pieces, and only within a line") {
    ReadyWatch watch({ReadyCondition::Kind::console_text, "login:", 0});
    CHECK_FALSE(watch.console("host lo"));
    CHECK_FALSE(watch.console("g\nin: host log"));
    CHECK(watch.last_line() == "in: host log");
    CHECK(watch.console("in:"));
    CHECK(watch.console("anything"));
}

TEST_CASE("bench: a console without line ends is kept within bounds, and its text still found") {
    ReadyWatch watch({ReadyCondition::Kind::console_text, std::string(100, 'x'), 0});
    for (int i = 0; i < 1000; ++i)
        REQUIRE_FALSE(watch.console(std::string(99, 'x') + "y"));
    CHECK(watch.last_line().size() <= 2 * ReadyWatch::kept_bytes);
    CHECK_FALSE(watch.console(std::string(50, 'x')));
    CHECK(watch.console(std::string(50, 'x')));
}

TEST_CASE("bench: the readiness port and POST codes are known by coldstart's events") {
    const std::string ready = R"({"seq":3,"time_us":1,"event":"ready","text":"up"})";
    const std::string code = R"({"seq":4,"time_us":2,"event":"post_code","code":66})";
    ReadyWatch port({});
    CHECK_FALSE(port.events(code + "\n"));
    CHECK_FALSE(port.events(ready));
    CHECK(port.events("\n"));
    ReadyWatch post({ReadyCondition::Kind::post_code, "", 66});
    CHECK_FALSE(post.events(ready + "\n"));
    CHECK_FALSE(post.events(R"({"seq":4,"event":"post_code","code":6})"
                            "\n"));
    CHECK_FALSE(post.events(R"({"seq":4,"event":"post_code","code":166})"
                            "\n"));
    CHECK(post.events(code + "\n"));
    // A number is meant whole: 6 is not the beginning of 66.
    ReadyWatch shorter({ReadyCondition::Kind::post_code, "", 6});
    CHECK_FALSE(shorter.events(code + "\n"));
    // What a guest writes can't look like an event of another kind.
    ReadyWatch faked({ReadyCondition::Kind::post_code, "", 66});
    CHECK_FALSE(
        faked.events(R"({"seq":3,"event":"ready","text":"\"event\":\"post_code\",\"code\":66"})"
                     "\n"));
    CHECK_FALSE(faked.console("\"event\":\"post_code\",\"code\":66}\n"));
}

TEST_CASE("bench: each mode starts what its name says") {
    for (const auto& [mode, flag, value] :
         {std::tuple{"linux", "--kernel", "elf"}, std::tuple{"linux", "--boot", "linux"},
          std::tuple{"linux-bzimage", "--kernel", "bz"}, std::tuple{"pvh", "--boot", "pvh"},
          std::tuple{"seabios-kernel", "--firmware", "seabios"},
          std::tuple{"seabios-kernel", "--kernel", "bz"},
          std::tuple{"seabios-grub", "--disk", "path=bios.img,readonly=on,bootindex=0"},
          std::tuple{"ovmf-kernel", "--firmware", "ovmf"},
          std::tuple{"ovmf-kernel", "--nvram", "/scratch/ovmf-kernel.nvram"},
          std::tuple{"ovmf-grub", "--disk", "path=uefi.img,readonly=on,bootindex=0"}}) {
        CAPTURE(mode, flag);
        const Candidate made = mode_candidate(mode, guest(), all_files());
        CHECK(made.skipped.empty());
        CHECK(has(made.command, flag, value));
        CHECK(made.command.front() == "/proc/self/exe");
    }
    const Candidate grub = mode_candidate("seabios-grub", guest(), all_files());
    CHECK(std::find(grub.command.begin(), grub.command.end(), "--kernel") == grub.command.end());
    CHECK(mode_candidate("ovmf-grub", guest(), all_files()).nvram_template == "vars");
    CHECK(mode_candidate("seabios-grub", guest(), all_files()).nvram_path.empty());
}

TEST_CASE("bench: a mode without its file is skipped with the reason") {
    BootFiles files = all_files();
    files.bzimage.clear();
    files.no_bzimage = "no bzImage";
    files.ovmf.clear();
    files.no_ovmf = "no OVMF";
    files.linux_entry = false;
    CHECK(mode_candidate("linux-bzimage", guest(), files).skipped == "no bzImage");
    CHECK(mode_candidate("seabios-kernel", guest(), files).skipped == "no bzImage");
    CHECK(mode_candidate("ovmf-grub", guest(), files).skipped == "no OVMF");
    CHECK_THAT(mode_candidate("linux", guest(), files).skipped, Contains("no 64-bit Linux entry"));
    CHECK(mode_candidate("pvh", guest(), files).skipped.empty());
    CHECK(mode_candidate("seabios-grub", guest(), files).skipped.empty());
    files.no_linux = "no Linux here";
    CHECK(mode_candidate("pvh", guest(), files).skipped == "no Linux here");
    CHECK(peer_candidates(PeerKind::qemu, {"qemu"}, guest(), files)[0].skipped == "no Linux here");
}

TEST_CASE("bench: a disk of the guest that GRUB is on stands first and once") {
    GuestSpec spec = guest();
    DiskConfig data, grub;
    data.path = "data,1";
    data.read_only = true;
    grub.path = "bios.img";
    spec.disks = {data, grub};
    const Words words = mode_candidate("seabios-grub", spec, all_files()).command;
    const auto first = std::find(words.begin(), words.end(), "--disk");
    REQUIRE(first != words.end());
    CHECK(first[1] == "path=bios.img,readonly=off");
    CHECK(first[3] == "path=data,,1,readonly=on");
    CHECK(std::count(words.begin(), words.end(), "--disk") == 2);
}

TEST_CASE("bench: peers get the same guest") {
    GuestSpec spec = guest();
    DiskConfig disk;
    disk.path = "disk.img";
    disk.read_only = true;
    spec.disks = {disk};
    const auto qemu = peer_candidates(PeerKind::qemu, {"/usr/bin/qemu"}, spec, all_files());
    REQUIRE(qemu.size() == 2);
    for (const Candidate& candidate : qemu) {
        CHECK(candidate.command.front() == "/usr/bin/qemu");
        CHECK(has(candidate.command, "-append", "quiet"));
        CHECK(has(candidate.command, "-m", "256"));
        CHECK(has(candidate.command, "-initrd", "initrd"));
        CHECK_FALSE(candidate.is_coldstart);
    }
    CHECK(has(qemu[0].command, "-kernel", "elf"));
    CHECK(has(qemu[1].command, "-kernel", "bz"));
    const auto kvmtool = peer_candidates(PeerKind::kvmtool, {"lkvm"}, spec, all_files());
    CHECK(has(kvmtool.at(0).command, "--disk", "disk.img,ro"));
    const auto firecracker = peer_candidates(PeerKind::firecracker, {"fc"}, spec, all_files());
    CHECK(has(firecracker.at(0).command, "--config-file", "/scratch/firecracker.json"));
    CHECK_THAT(firecracker_config(spec, all_files()), Contains("\"mem_size_mib\": 256"));
    CHECK_THAT(firecracker_config(spec, all_files()), Contains("\"is_read_only\": true"));
}

TEST_CASE("bench: flags of boot") {
    CHECK(bench({}).runs == 10);
    CHECK(bench({}).ready.kind == ReadyCondition::Kind::readiness_port);
    CHECK(bench({"--ready", "login:"}).ready.text == "login:");
    CHECK(bench({"--ready-code", "0x42"}).ready.code == 0x42);
    CHECK(bench({"--modes", "pvh,ovmf-grub"}).modes == Words{"pvh", "ovmf-grub"});
    CHECK(bench({"--disk", "path=d"}).disks.at(0).read_only);
    CHECK_FALSE(bench({"--disk", "path=d,readonly=off"}).disks.at(0).read_only);
    const BenchCommand peers =
        bench({"--ready", "x", "--peer", "qemu", "--peer", "firecracker=/opt/fc"});
    REQUIRE(peers.peers.size() == 2);
    CHECK(peers.peers[0].program == "qemu-system-x86_64");
    CHECK(peers.peers[1].program == "/opt/fc");
}

TEST_CASE("bench: wrong usage is one line that says what is accepted") {
    const auto boot = [](Args more) {
        more.insert(more.begin(), {"bench", "boot", "--kernel", "k"});
        return refusal(more);
    };
    CHECK_THAT(refusal({"bench"}), Contains("VERB"));
    CHECK_THAT(refusal({"bench", "walk"}), Contains("accepted: boot, compare, timeline"));
    CHECK_THAT(refusal({"bench", "boot"}), Contains("nothing to boot"));
    CHECK_THAT(boot({"more"}), Contains("unexpected argument 'more'"));
    CHECK_THAT(boot({"--modes", "pvh,uefi"}), Contains("uefi: no such mode"));
    CHECK_THAT(boot({"--runs", "0"}), Contains("accepted: 1 to"));
    CHECK_THAT(boot({"--peer", "bochs"}), Contains("accepted: qemu, kvmtool, firecracker"));
    CHECK_THAT(boot({"--peer", "qemu"}), Contains("add --ready TEXT"));
    CHECK_THAT(boot({"--ready-code", "256"}), Contains("not a byte"));
    CHECK_THAT(boot({"--ready", "x", "--ready-code", "1"}), Contains("leave one of the two out"));
    CHECK_THAT(refusal({"bench", "compare", "a"}), Contains("1 files, not two"));
    CHECK_THAT(refusal({"bench", "compare", "a", "b", "--html", "c"}), Contains("--json"));
    CHECK_THAT(refusal({"bench", "timeline"}), Contains("0 files, not one or two"));
    CHECK_THAT(refusal({"bench", "timeline", "a", "b", "c"}), Contains("3 files"));
    CHECK_THAT(refusal({"bench", "timeline", "a", "--json", "c"}), Contains("--html"));
}
