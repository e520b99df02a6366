#include "api/command/guest_command_line.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/cli/args.h"
#include "vmm/cli/help.h"
#include "vmm/cli/nearest.h"

#include <catch2/catch.hpp>
#include <sstream>
#include <string>
#include <vector>

using namespace coldstart;

namespace {

using Args = std::vector<std::string_view>;

RunCommand run(Args more) {
    Args all{"run", "--kernel", "k"};
    all.insert(all.end(), more.begin(), more.end());
    return std::get<RunCommand>(parse_command_line(all));
}

std::string refusal(const Args& all) {
    try {
        parse_command_line(all);
    } catch (const UsageError& error) {
        return error.what();
    }
    return "(accepted)";
}

std::string run_refusal(Args more) {
    more.insert(more.begin(), {"run", "--kernel", "k"});
    return refusal(more);
}

using Catch::Contains;
using Catch::StartsWith;

} // namespace

TEST_CASE("a kernel alone gives the defaults of the contract", "[cli]") {
    const RunCommand command = run({});
    CHECK(command.config.kernel_path == "k");
    CHECK(command.config.cpus == 1);
    CHECK(command.config.memory_bytes == 256 * MiB);
    CHECK(command.config.boot == BootMode::automatic);
    CHECK(command.config.board == BoardKind::micro);
    CHECK(command.config.serial.kind == SerialConfig::Kind::stdio);
    CHECK(command.config.on_reboot == OnReboot::restart);
    CHECK(command.config.rng);
    CHECK_FALSE(command.config.timeout_s);
    CHECK_FALSE(command.config.command_line);
    CHECK(command.log_level == LogLevel::warn);
}

TEST_CASE("how a kernel is loaded and kept is a choice", "[cli]") {
    const VmConfig plain = run({}).config;
    CHECK(plain.load == LoadMode::automatic);
    CHECK_FALSE(plain.kernel_cache_path);
    const VmConfig mapped = run({"--load=map", "--kernel-cache", "/kernels"}).config;
    CHECK(mapped.load == LoadMode::map);
    CHECK(mapped.kernel_cache_path == "/kernels");
    const VmConfig copied = run({"--load=copy", "--kernel-cache=off"}).config;
    CHECK(copied.load == LoadMode::copy);
    CHECK(copied.kernel_cache_path == "");
    CHECK_THROWS_AS(run({"--kernel-cache="}), UsageError);
    CHECK_THROWS_AS(run({"--load=quickly"}), UsageError);
}

TEST_CASE("every flag reaches the configuration, in both ways of writing", "[cli]") {
    const RunCommand c = run(
        {"--initrd=i",     "--cmdline",   "a b",      "--boot=pvh",          "--machine",   "micro",
         "--cpus=64",      "--memory",    "2G",       "--serial=file=out,1", "--debugcon",  "d",
         "--post-codes=p", "--on-reboot", "exit",     "--timeout=2.5",       "--log-level", "debug",
         "--log=l",        "--id=vm-1",   "--no-rng", "--virtio-console"});
    CHECK(c.config.initrd_path == "i");
    CHECK(c.config.command_line == "a b");
    CHECK(c.config.boot == BootMode::pvh);
    CHECK(c.config.cpus == 64);
    CHECK(c.config.memory_bytes == 2 * GiB);
    CHECK(c.config.serial.kind == SerialConfig::Kind::file);
    CHECK(c.config.serial.path == "out,1");
    CHECK(c.config.debugcon_path == "d");
    CHECK(c.config.post_codes_path == "p");
    CHECK(c.config.on_reboot == OnReboot::exit);
    CHECK(c.config.timeout_s == 2.5);
    CHECK(c.log_level == LogLevel::debug);
    CHECK(c.log_path == "l");
    CHECK(c.config.id == "vm-1");
    CHECK_FALSE(c.config.rng);
    CHECK(c.config.virtio_console);
    CHECK(run({"--cmdline="}).config.command_line == "");
}

TEST_CASE("a socket device has a CID and a path", "[cli]") {
    CHECK_FALSE(run({}).config.vsock);
    const auto vsock = run({"--vsock", "cid=4294967294,path=a,,b"}).config.vsock;
    REQUIRE(vsock);
    CHECK(vsock->guest_cid == 4294967294u);
    CHECK(vsock->uds_path == "a,b");
    CHECK(run({"--vsock=path=v,cid=3"}).config.vsock->guest_cid == 3);
    for (const char* cid : {"2", "0", "4294967295", "x", "-1", "99999999999999999999"})
        CHECK_THAT(run_refusal({"--vsock", std::string("path=v,cid=") + cid}),
                   Contains("not a CID") && Contains("accepted: 3 to 4294967294"));
    CHECK_THAT(run_refusal({"--vsock", "path=v"}), Contains("cid= is missing"));
    CHECK_THAT(run_refusal({"--vsock", "cid=3"}), Contains("path= is missing"));
    CHECK_THAT(run_refusal({"--vsock", "cid=3,path="}), Contains("path= has no value"));
    CHECK_THAT(run_refusal({"--vsock", "cid=3,path=v,port=1"}), Contains("accepted: cid, path"));
    CHECK_THAT(run_refusal({"--vsock", "cid=3,path=" + std::string(108, 'x')}),
               Contains("too long"));
    CHECK_THAT(run_refusal({"--vsock=cid=3,path=v", "--vsock=cid=4,path=w"}),
               Contains("given twice"));
}

TEST_CASE("disks are lists of keys with doubled commas", "[cli]") {
    const auto disks = run({"--disk", "path=a,,b.img,readonly=on,id=root,serial=X 1,cache=none",
                            "--disk", "path=x=y,format=raw"})
                           .config.disks;
    REQUIRE(disks.size() == 2);
    CHECK(disks[0].path == "a,b.img");
    CHECK(disks[0].read_only);
    CHECK(disks[0].id == "root");
    CHECK(disks[0].serial == "X 1");
    CHECK(disks[0].cache == DiskCache::none);
    CHECK(disks[1].path == "x=y");
    CHECK_FALSE(disks[1].read_only);

    CHECK_THAT(run_refusal({"--disk", "a.img"}), Contains("write path=a.img"));
    CHECK_THAT(run_refusal({"--disk", "readonly=on"}), Contains("path= is missing"));
    CHECK_THAT(run_refusal({"--disk", "path=a,path=b"}), Contains("path= is given twice"));
    CHECK_THAT(run_refusal({"--disk", "path=a,size=3"}),
               Contains("size=3: unknown key") && Contains("readonly"));
    CHECK_THAT(run_refusal({"--disk", "path=a,readonly=yes"}), Contains("accepted: on, off"));
    CHECK_THAT(run_refusal({"--disk", "path=a,format=qcow2"}), Contains("qemu-img convert"));
    CHECK(run({"--disk", "path=a,bootindex=1"}).config.disks[0].boot_index == 1u);
    CHECK_FALSE(disks[0].boot_index);
    CHECK_THAT(run_refusal({"--disk", "path=a,bootindex=10000"}), Contains("accepted: 0 to 9999"));
    CHECK_THAT(run_refusal({"--disk", "path=a,bootindex=-1"}), Contains("not a boot index"));
    CHECK_THAT(run_refusal({"--disk", "path=a,"}), Contains("an empty item"));
    CHECK_THAT(run_refusal({"--disk", "path="}), Contains("path= has no value"));
    CHECK_THAT(run_refusal({"--disk", "path=a,serial=123456789012345678901"}),
               Contains("up to 20"));
    CHECK_THAT(run_refusal({"--disk", "path=a,id=x", "--disk", "path=b,id=x"}),
               Contains("two disks have this id"));
    CHECK_THAT(run_refusal({"--disk", "path=a,id=disk1", "--disk", "path=b"}),
               Contains("id=disk1"));
}

TEST_CASE("a balloon is a size and switches", "[cli]") {
    CHECK_FALSE(run({}).config.balloon);
    const auto plain = run({"--balloon", "64M"}).config.balloon;
    REQUIRE(plain);
    CHECK(plain->amount_mib == 64);
    CHECK_FALSE(plain->deflate_on_oom);
    CHECK_FALSE(plain->free_page_reporting);
    const auto all = run({"--balloon=0,deflate-on-oom=on,reporting=on"}).config.balloon;
    REQUIRE(all);
    CHECK(all->amount_mib == 0);
    CHECK(all->deflate_on_oom);
    CHECK(all->free_page_reporting);
    CHECK(run({"--memory", "64M", "--balloon", "64M"}).config.balloon->amount_mib == 64);

    for (const char* size : {"x", "64.5M", "1K", "1025K", "600G", "reporting=on", ",64M"})
        CHECK_THAT(run_refusal({"--balloon", size}), Contains("not a size in whole MiB"));
    CHECK_THAT(run_refusal({"--balloon", "257M"}), Contains("the guest has 256M"));
    CHECK_THAT(run_refusal({"--balloon", "64M,reporting=yes"}), Contains("not a switch"));
    CHECK_THAT(run_refusal({"--balloon", "64M,size=1"}), Contains("unknown key"));
    CHECK_THAT(run_refusal({"--balloon", "64M,"}), Contains("empty item"));
    CHECK_THAT(run_refusal({"--balloon", "64M", "--balloon", "1M"}), Contains("--balloon"));
}

TEST_CASE("networks are a TAP interface or user mode, with keys", "[cli]") {
    const auto nets = run({"--net", "tap=br,,0,mac=52:54:00:00:00:01,id=lan", "--net=user", "--net",
                           "user,forward=tcp:8080:80,forward=udp:53:5353"})
                          .config.nets;
    REQUIRE(nets.size() == 3);
    CHECK(nets[0].kind == NetConfig::Kind::tap);
    CHECK(nets[0].tap == "br,0");
    CHECK(nets[0].mac == "52:54:00:00:00:01");
    CHECK(nets[0].id == "lan");
    CHECK_FALSE(nets[0].bootindex);
    CHECK_FALSE(nets[0].rom_path);
    CHECK(nets[1].kind == NetConfig::Kind::user);
    CHECK(nets[1].forwards.empty());
    REQUIRE(nets[2].forwards.size() == 2);
    CHECK(nets[2].forwards[0].protocol == PortForward::Protocol::tcp);
    CHECK(nets[2].forwards[0].host_port == 8080);
    CHECK(nets[2].forwards[0].guest_port == 80);
    CHECK(nets[2].forwards[1].protocol == PortForward::Protocol::udp);
    CHECK(nets[2].forwards[1].guest_port == 5353);
    const auto booting =
        run({"--firmware", "f", "--net", "tap=t,bootindex=3,rom=r.rom", "--net", "user,rom=none"})
            .config.nets;
    REQUIRE(booting.size() == 2);
    CHECK(booting[0].bootindex == 3);
    CHECK(booting[0].rom_path == "r.rom");
    CHECK(booting[1].rom_path == "");

    CHECK_THAT(run_refusal({"--net", "tap0"}), Contains("write tap=tap0"));
    CHECK_THAT(run_refusal({"--net", "id=a"}), Contains("which network?"));
    CHECK_THAT(run_refusal({"--net", "user,tap=a"}), Contains("two networks"));
    CHECK_THAT(run_refusal({"--net", "user,user"}), Contains("user is given twice"));
    CHECK_THAT(run_refusal({"--net", "user=on"}), Contains("user=: takes no value"));
    CHECK_THAT(run_refusal({"--net", "tap="}), Contains("tap= has no value"));
    CHECK_THAT(run_refusal({"--net", "tap=a,mac=x,mac=y"}), Contains("mac= is given twice"));
    CHECK_THAT(run_refusal({"--net", "tap=a,forward=tcp:1:2"}), Contains("goes with user"));
    CHECK_THAT(run_refusal({"--net", "tap=a,script=x"}),
               Contains("script=x: unknown key") && Contains("bootindex"));
    for (const char* forward : {"8080", "tcp:80", "tcp:0:80", "tcp:80:0", "tcp:65536:1",
                                "tcp:1:2:3", "sctp:1:2", "tcp::2", "tcp:-1:2", ":1:2"})
        CHECK_THAT(run_refusal({"--net", std::string("user,forward=") + forward}),
                   Contains("not a forwarded port"));
    CHECK_THAT(run_refusal({"--net", "tap=a,bootindex=1"}), Contains("only firmware boots"));
    CHECK_THAT(run_refusal({"--net", "tap=a,rom=f"}), Contains("only firmware boots"));
    CHECK_THAT(run_refusal({"--firmware", "f", "--net", "tap=a,bootindex=x"}),
               Contains("not a boot index"));
}

TEST_CASE("metadata goes to the first network", "[cli]") {
    const RunCommand c = run({"--net", "user,id=lan", "--net", "user", "--metadata", "m.json"});
    CHECK(c.metadata_path == "m.json");
    REQUIRE(c.config.mmds);
    CHECK(c.config.mmds->interfaces == std::vector<std::string>{"lan"});
    CHECK(c.config.mmds->version == MmdsConfig::Version::v1);
    const RunCommand v2 = run({"--metadata-version=v2", "--metadata=m.json", "--net=user"});
    CHECK(v2.config.mmds->interfaces == std::vector<std::string>{"net0"});
    CHECK(v2.config.mmds->version == MmdsConfig::Version::v2);
    CHECK_FALSE(run({"--net", "user"}).config.mmds);
    CHECK_THAT(run_refusal({"--metadata", "m.json"}), Contains("add --net"));
    CHECK_THAT(run_refusal({"--net", "user", "--metadata-version", "v1"}),
               Contains("add --metadata FILE"));
    CHECK_THAT(run_refusal({"--metadata", "m", "--metadata-version", "3"}), Contains("v1"));
}

TEST_CASE("a bad value is named with what is accepted and where to read on", "[cli]") {
    for (const char* size : {"0", "1", "512", "3M", "1G1", "-1", "5000001", "513G", "2T", "16E"}) {
        INFO(size);
        CHECK_THAT(run_refusal({"--memory", size}),
                   StartsWith(std::string("--memory ") + size + ": ") &&
                       Catch::EndsWith("see 'coldstart run --help'"));
    }
    CHECK_THAT(run_refusal({"--memory", "512"}), Contains("did you mean 512M?"));
    CHECK_THAT(run_refusal({"--memory", "5000001"}), Contains("multiple of 4K"));
    CHECK_THAT(run_refusal({"--memory", "1T"}), Contains("limit of 512G"));
    CHECK(run({"--memory=512G"}).config.memory_bytes == 512 * GiB);
    CHECK(run({"--memory=4M"}).config.memory_bytes == 4 * MiB);
    CHECK(run({"--memory=4100K"}).config.memory_bytes == 4100 * KiB);
    for (const char* cpus : {"0", "65", "-1", "two", "1.5", "4294967297"})
        CHECK_THAT(run_refusal({"--cpus", cpus}), Contains("accepted: 1 to 64"));
    for (const char* seconds :
         {"0", "-1", "nan", "inf", "1e3", "2x", "0x10", "1e999", "2000000000"})
        CHECK_THAT(run_refusal({"--timeout", seconds}), Contains("not a number of seconds"));
    for (const char* id : {"a_b", "a b", "\xc3\xa4", "../x"})
        CHECK_THAT(run_refusal({"--id", id}), Contains("1 to 64 characters"));
    CHECK_THAT(run_refusal({"--id", std::string(65, 'a')}), Contains("1 to 64 characters"));
    CHECK_THAT(run_refusal({"--serial", "tty"}), Contains("accepted: stdio, none"));
    CHECK_THAT(run_refusal({"--serial", "file="}), Contains("path is missing"));
    CHECK_THAT(run_refusal({"--serial", "socket=" + std::string(108, 's')}), Contains("too long"));
    CHECK_THAT(run_refusal({"--boot", "uefi"}), Contains("accepted: auto, linux, pvh"));
    CHECK_THAT(run_refusal({"--log-level", "loud"}), Contains("accepted: off, error"));
    CHECK_THAT(run_refusal({"--serial", "stdio", "--virtio-console"}),
               Contains("terminal is taken"));
    CHECK(run({"--virtio-console"}).config.serial.kind == SerialConfig::Kind::none);
    CHECK_THAT(run_refusal({"--id", "a\nb"}), !Contains("\n"));
}

TEST_CASE("a terminal is the guest's display or its console", "[cli]") {
    const auto boot = [](Args more) {
        more.insert(more.begin(), {"run", "--firmware", "f", "--display", "terminal"});
        return more;
    };
    const auto command = std::get<RunCommand>(parse_command_line(boot({"--vga", "std"})));
    CHECK(command.display_on_terminal);
    CHECK(command.config.serial.kind == SerialConfig::Kind::none);
    const auto logged =
        std::get<RunCommand>(parse_command_line(boot({"--vga", "std", "--serial", "file=s"})));
    CHECK(logged.config.serial.kind == SerialConfig::Kind::file);
    CHECK_THAT(refusal(boot({})), Contains("there is no screen") && Contains("--vga std"));
    CHECK_THAT(refusal(boot({"--vga", "std", "--serial", "stdio"})),
               Contains("--serial stdio: the terminal is taken by --display terminal"));
    CHECK_THAT(refusal(boot({"--vga", "std", "--virtio-console"})),
               Contains("taken by --display terminal"));
    CHECK_THAT(run_refusal({"--display", "window"}), Contains("accepted: none, terminal"));
}

TEST_CASE("flags that are unknown, twice, incomplete or not built are refused", "[cli]") {
    CHECK_THAT(run_refusal({"--memroy", "1G"}),
               StartsWith("--memroy: unknown flag; did you mean --memory?"));
    CHECK_THAT(run_refusal({"-cpus=2"}), Contains("did you mean --cpus?"));
    CHECK_THAT(run_refusal({"--xyzzy"}), StartsWith("--xyzzy: unknown flag; see"));
    CHECK_THAT(run_refusal({"--cpus", "1", "--cpus=1"}), StartsWith("--cpus: given twice"));
    CHECK_THAT(run_refusal({"--no-rng", "--no-rng"}), StartsWith("--no-rng: given twice"));
    CHECK_THAT(run_refusal({"--no-rng=yes"}), StartsWith("--no-rng: takes no value"));
    CHECK_THAT(run_refusal({"--cpus"}), StartsWith("--cpus: value is missing"));
    CHECK_THAT(run_refusal({"--initrd", "--cpus", "1"}),
               StartsWith("--initrd: value is missing before --cpus"));
    CHECK_THAT(run_refusal({"--initrd="}), StartsWith("--initrd: value is empty"));
    CHECK_THAT(run_refusal({"extra"}), Contains("unexpected argument 'extra'"));
    CHECK(run({"--cmdline=--quiet"}).config.command_line == "--quiet");
    CHECK_THAT(refusal({"run"}), StartsWith("run: nothing to boot"));
    CHECK_THAT(run_refusal({"--timeline", "x"}), StartsWith("--timeline x: neither .json nor"));
}

TEST_CASE("firmware and kernels: what goes together", "[cli]") {
    CHECK_THAT(refusal({"run", "--boot", "firmware"}),
               StartsWith("--boot firmware: --firmware is missing"));
    CHECK_THAT(refusal({"run", "--firmware", "f", "--boot", "pvh"}),
               StartsWith("--firmware with --boot linux or pvh"));
    CHECK_THAT(refusal({"run", "--firmware", "f", "--machine", "micro"}),
               StartsWith("--machine micro: firmware needs the board pc"));
    CHECK_THAT(refusal({"run", "--firmware", "f", "--irqchip", "split"}),
               StartsWith("--irqchip split: firmware needs the board pc"));
    CHECK_THAT(run_refusal({"--machine=pc"}), StartsWith("--machine pc: the board boots by"));
    CHECK_THAT(run_refusal({"--nvram", "n"}), StartsWith("--nvram: a variable store without"));
    CHECK_THAT(refusal({"run", "--firmware", "f", "--nvram-template", "n"}),
               StartsWith("--nvram-template: which file"));
    CHECK_THAT(refusal({"run", "--firmware", "f", "--initrd", "i"}),
               StartsWith("--initrd: there is no kernel"));
    CHECK_THAT(refusal({"run", "--firmware", "f", "--cmdline", "quiet"}),
               StartsWith("--cmdline: there is no kernel"));

    CHECK_THAT(refusal({"run", "--kernel", "k", "--smm", "on"}), StartsWith("--smm on: only the"));
    CHECK(run({"--firmware", "f"}).config.smm == SmmMode::automatic);
    CHECK(run({"--firmware", "f", "--smm", "on"}).config.smm == SmmMode::on);
    CHECK(run({"--smm", "off"}).config.smm == SmmMode::off);
    const RunCommand command = run({"--firmware", "f", "--nvram", "n", "--nvram-template", "t"});
    CHECK(command.config.board == BoardKind::pc);
    CHECK(command.config.boot == BootMode::firmware);
    CHECK(command.config.firmware_path == "f");
    CHECK(command.config.nvram_path == "n");
    CHECK(command.config.nvram_template_path == "t");
}

TEST_CASE("the other commands", "[cli]") {
    CHECK(std::get<InspectCommand>(parse_command_line(Args{"inspect", "f", "--json"})).json);
    CHECK(std::get<InspectCommand>(parse_command_line(Args{"inspect", "--", "--odd"})).path ==
          "--odd");
    CHECK(std::get<DoctorCommand>(parse_command_line(Args{"doctor", "--json"})).json);
    CHECK(std::get<CompletionCommand>(parse_command_line(Args{"completion", "zsh"})).shell ==
          Shell::zsh);
    CHECK(std::holds_alternative<VersionCommand>(parse_command_line(Args{"--version"})));
    CHECK(std::get<HelpCommand>(parse_command_line(Args{"help", "run"})).topic == "run");
    CHECK(std::get<HelpCommand>(parse_command_line(Args{"run", "--bogus", "--help"})).topic ==
          "run");
    CHECK_FALSE(std::get<HelpCommand>(parse_command_line(Args{})).asked);
    CHECK_THAT(refusal({"inspect"}), StartsWith("inspect: FILE is missing"));
    CHECK_THAT(refusal({"inspect", "a", "b"}), Contains("second argument 'b'"));
    CHECK_THAT(refusal({"completion", "csh"}), Contains("accepted: bash, zsh, fish"));
    CHECK(std::get<HelpCommand>(parse_command_line(Args{"help", "bench"})).topic == "bench");
    CHECK_THAT(refusal({"help", "bunch"}), Contains("no such command"));
    CHECK_THAT(refusal({"bench"}), StartsWith("bench: VERB [ARG...] is missing"));
    CHECK_THAT(refusal({"rnu"}), Contains("did you mean run?"));
    CHECK_THAT(refusal({"--kernel", "k"}), Contains("write coldstart run --kernel"));
}

TEST_CASE("help fits 80 columns and shows what works and nothing else", "[cli]") {
    for (const char* topic : {"", "run", "serve", "ctl", "bench", "firecracker", "inspect",
                              "doctor", "completion", "help", "version"}) {
        std::istringstream lines(help_text(topic));
        for (std::string line; std::getline(lines, line);) {
            INFO(line);
            CHECK(line.size() <= 80);
            CHECK((line.empty() || line.back() != ' '));
        }
    }
    const std::string text = help_text("run");
    CHECK_THAT(text, Contains("--virtio-console") && Contains("--on-reboot"));
    CHECK_THAT(text, Contains("--net tap=NAME|user") && Contains("--timeline FILE.json|FILE.html"));
    // The texts name the default command line; it must be the real one.
    VmConfig config;
    std::istringstream words(guest_command_line(config));
    for (std::string word; words >> word;)
        CHECK_THAT(text, Contains(word));
}

TEST_CASE("the guest's command line finds its root disk", "[cli]") {
    VmConfig config;
    config.disks.push_back({.id = "", .path = "a", .read_only = false, .serial = ""});
    choose_root_disk(config);
    CHECK_THAT(guest_command_line(config), Contains(" root=/dev/vda rw"));
    config.disks[0].read_only = true;
    CHECK_THAT(guest_command_line(config), Contains(" root=/dev/vda ro"));
    config.command_line = "quiet reboot=t -- single";
    CHECK(guest_command_line(config) == "quiet reboot=t root=/dev/vda ro pci=off -- single");
    config.command_line = "reboot=t";
    CHECK(guest_command_line(config) == "reboot=t root=/dev/vda ro pci=off");
    config.command_line = "root=/dev/vda2 reboot=t";
    CHECK(guest_command_line(config) == "root=/dev/vda2 reboot=t pci=off");
    config.command_line = "nfsroot=x reboot=t";
    CHECK(guest_command_line(config) == "nfsroot=x reboot=t root=/dev/vda ro pci=off");
    config.command_line.reset();
    config.initrd_path = "i";
    config.disks[0].is_root = false;
    choose_root_disk(config);
    CHECK_THAT(guest_command_line(config), !Contains("root="));
    config.virtio_console = true;
    CHECK_THAT(guest_command_line(config), StartsWith("console=hvc0 "));
}

TEST_CASE("the guest's command line marks resets after a panic, unless it says otherwise",
          "[cli]") {
    VmConfig config;
    config.board = BoardKind::pc;
    config.command_line = "quiet -- single";
    CHECK(guest_command_line(config) == "quiet reboot=panic_warm -- single");
    config.command_line = "";
    CHECK(guest_command_line(config) == "reboot=panic_warm");
    config.command_line = "reboot=k,w";
    CHECK(guest_command_line(config) == "reboot=k,w");

    CHECK(panics_reset_warm("quiet reboot=panic_warm"));
    CHECK(panics_reset_warm("reboot=t,panic_w"));
    CHECK_FALSE(panics_reset_warm("reboot=t"));
    CHECK_FALSE(panics_reset_warm("reboot=warm reboot=panic_warm"));
    CHECK_FALSE(panics_reset_warm("reboot=panic_warm,warm"));
    CHECK_FALSE(panics_reset_warm("noreboot=panic_warm"));
}

TEST_CASE("the nearest name is near", "[cli]") {
    const std::vector<std::string_view> names{"--memory", "--kernel", "--cpus"};
    CHECK(nearest_name("--kernle", names) == "--kernel");
    CHECK(nearest_name("cpu", names) == "--cpus");
    CHECK(nearest_name("--zzzz", names).empty());
    CHECK(nearest_name("--", names).empty());
    CHECK(nearest_name(std::string(1000, 'a'), names).empty());
}
