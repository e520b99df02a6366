#include "api/command/device_names.h"
#include "api/command/guest_command_line.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/cli/config_flag.h"
#include "vmm/cli/flag_table.h"
#include "vmm/cli/flag_values.h"
#include "vmm/cli/run_checks.h"
#include "vmm/cli/timeline_flag.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace coldstart {
namespace {

using Value = std::string_view;

constexpr Value what = "What to boot";
constexpr Value machine = "The machine";
constexpr Value consoles = "Consoles";
constexpr Value life = "How the run ends";
constexpr Value outside = "Control from outside";
constexpr Value diagnostics = "Diagnostics";

void store_boot(CommandDraft& draft, const FlagSpec&, Value value) {
    draft.run.config.boot = value == "linux"      ? BootMode::linux64
                            : value == "pvh"      ? BootMode::pvh
                            : value == "firmware" ? BootMode::firmware
                                                  : BootMode::automatic;
}

void store_load(CommandDraft& draft, const FlagSpec&, Value value) {
    draft.run.config.load = value == "copy"  ? LoadMode::copy
                            : value == "map" ? LoadMode::map
                                             : LoadMode::automatic;
}

void store_disk(CommandDraft& draft, const FlagSpec& flag, Value value) {
    draft.run.config.disks.push_back(parse_disk_flag(flag.name, value));
}

void store_net(CommandDraft& draft, const FlagSpec& flag, Value value) {
    draft.run.config.nets.push_back(parse_net_flag(flag.name, value));
}

void store_balloon(CommandDraft& draft, const FlagSpec& flag, Value value) {
    draft.run.config.balloon = parse_balloon_flag(flag.name, value);
}

void store_vsock(CommandDraft& draft, const FlagSpec& flag, Value value) {
    draft.run.config.vsock = parse_vsock_flag(flag.name, value);
}

void store_serial(CommandDraft& draft, const FlagSpec& flag, Value value) {
    draft.run.config.serial = parse_serial_flag(flag.name, value);
    draft.serial_given = true;
}

void store_log_level(CommandDraft& draft, const FlagSpec&, Value value) {
    draft.run.log_level = parse_log_level(value).value_or(LogLevel::warn);
}

constexpr FlagSpec run_flags[] = {
    {.group = what,
     .name = "--kernel",
     .value = "FILE",
     .kind = ValueKind::file,
     .help = "Linux bzImage, ELF vmlinux or PVH kernel, also compressed, or a FIT bundle; told "
             "apart by content. With --firmware: a bzImage that the firmware is handed.",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.run.config.kernel_path = v; }},
    {.group = what,
     .name = "--initrd",
     .value = "FILE",
     .kind = ValueKind::file,
     .help = "initial RAM disk handed to the kernel",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.run.config.initrd_path = v; }},
    {.group = what,
     .name = "--cmdline",
     .value = "TEXT",
     .kind = ValueKind::text,
     .help = "kernel command line, instead of the default described above",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.run.config.command_line = v; }},
    {.group = what,
     .name = "--boot",
     .value = "MODE",
     .kind = ValueKind::words,
     .words = "auto|linux|pvh|firmware",
     .help = "how to enter the guest: linux (64-bit boot protocol), pvh, firmware (the reset "
             "vector), or auto: firmware if one is given, else the quickest the kernel offers "
             "(default: auto)",
     .store = store_boot},
    {.group = what,
     .name = "--load",
     .value = "HOW",
     .kind = ValueKind::words,
     .words = "auto|copy|map",
     .help = "how kernel and initrd come into the guest's memory when the kernel is entered "
             "directly: copy; map, pages shared with the host's page cache and with other "
             "machines; or auto, the quicker (default: auto)",
     .store = store_load},
    {.group = what,
     .name = "--kernel-cache",
     .value = "DIR|off",
     .kind = ValueKind::file,
     .help = "where kernels unpacked from bzImages are kept for the next run, or off (default: "
             "coldstart/kernels in $XDG_CACHE_HOME or ~/.cache)",
     .store = [](CommandDraft& d, const FlagSpec& f,
                 Value v) { d.run.config.kernel_cache_path = parse_kernel_cache_flag(f.name, v); }},
    {.group = what,
     .name = "--firmware",
     .value = "FILE",
     .kind = ValueKind::file,
     .help = "firmware, a ROM image such as SeaBIOS's bios-256k.bin or OVMF_CODE_4M.fd, run from "
             "the reset vector on board pc",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.run.config.firmware_path = v; }},
    {.group = what,
     .name = "--nvram",
     .value = "FILE",
     .kind = ValueKind::file,
     .help = "UEFI variable store, kept across runs (OVMF_VARS_4M.fd's copy)",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.run.config.nvram_path = v; }},
    {.group = what,
     .name = "--nvram-template",
     .value = "FILE",
     .kind = ValueKind::file,
     .help = "what the --nvram file is made of when it does not exist",
     .store = [](CommandDraft& d, const FlagSpec&,
                 Value v) { d.run.config.nvram_template_path = v; }},
    {.group = machine,
     .name = "--machine",
     .value = "BOARD",
     .kind = ValueKind::words,
     .words = "micro|pc",
     .help = "the board: micro, no PCI, devices found through ACPI; or pc, of the Q35 kind, for "
             "firmware (default: pc with --firmware, else micro)",
     .store =
         [](CommandDraft& d, const FlagSpec&, Value v) {
             d.run.config.board = v == "pc" ? BoardKind::pc : BoardKind::micro;
             d.board_given = true;
         }},
    {.group = machine,
     .name = "--irqchip",
     .value = "WHERE",
     .kind = ValueKind::words,
     .words = "auto|split|kernel",
     .help = "PICs, IOAPIC and PIT: in the kernel, or split, with the local APICs alone there, "
             "for board micro (default: auto, split where KVM emulates ring 0, whose in-kernel "
             "ones take long to end)",
     .store =
         [](CommandDraft& d, const FlagSpec&, Value v) {
             d.run.config.irqchip = v == "split"    ? IrqchipKind::split
                                    : v == "kernel" ? IrqchipKind::kernel
                                                    : IrqchipKind::automatic;
         }},
    {.group = machine,
     .name = "--acpi",
     .value = "HOW",
     .kind = ValueKind::words,
     .words = "auto|reduced|fixed",
     .help = "power management of board micro: hardware-reduced ACPI, which boots sooner, or fixed "
             "hardware with PM timer and 8259s (default: auto, reduced unless the command line has "
             "noapic or the like)",
     .store =
         [](CommandDraft& d, const FlagSpec&, Value v) {
             d.run.config.acpi = v == "reduced" ? AcpiHardware::reduced
                                 : v == "fixed" ? AcpiHardware::fixed
                                                : AcpiHardware::automatic;
         }},
    {.group = machine,
     .name = "--smm",
     .value = "WHETHER",
     .kind = ValueKind::words,
     .words = "auto|on|off",
     .help = "system management mode on board pc: on, off, or auto, on for UEFI firmware where the "
             "host has it (default: auto)",
     .store =
         [](CommandDraft& d, const FlagSpec&, Value v) {
             d.run.config.smm = v == "on"    ? SmmMode::on
                                : v == "off" ? SmmMode::off
                                             : SmmMode::automatic;
         }},
    {.group = machine,
     .name = "--cpus",
     .value = "N",
     .kind = ValueKind::text,
     .help = "virtual CPUs, 1 to 64 (default: 1)",
     .store = [](CommandDraft& d, const FlagSpec& f,
                 Value v) { d.run.config.cpus = parse_cpus_flag(f.name, v); }},
    {.group = machine,
     .name = "--memory",
     .value = "SIZE",
     .kind = ValueKind::text,
     .help = "RAM, with K, M or G in powers of 1024 (default: 256M)",
     .store = [](CommandDraft& d, const FlagSpec& f,
                 Value v) { d.run.config.memory_bytes = parse_memory_flag(f.name, v); }},
    {.group = machine,
     .name = "--disk",
     .value = "path=FILE[,KEY=VALUE...]",
     .kind = ValueKind::keys,
     .words = "path=|format=raw|readonly=on|readonly=off|id=|serial=|cache=writeback|cache=none|"
              "cache=unsafe|bus=virtio|bus=sata|bootindex=",
     .help = "a virtio disk; may be repeated, the first is /dev/vda. Keys: format=raw, "
             "readonly=on|off, id=NAME, serial=TEXT, cache=writeback|none|unsafe, bus=virtio|sata "
             "(board pc), bootindex=N "
             "(firmware "
             "tries lower ones first). A comma inside a "
             "value is written twice.",
     .repeatable = true,
     .store = store_disk},
    {.group = machine,
     .name = "--net",
     .value = "tap=NAME|user[,KEY=VALUE...]",
     .kind = ValueKind::keys,
     .words = "tap=|user|forward=tcp:|forward=udp:|mac=|id=|bootindex=|rom=|rom=none",
     .help = "a virtio network card; may be repeated. tap=NAME is an interface of the host that is "
             "there already; user needs no privilege (passt) and takes "
             "forward=tcp|udp:HOST:GUEST, a port of the host that leads to one of the guest, any "
             "number of times. Other keys: mac=ADDRESS, id=NAME, and on board pc bootindex=N "
             "and rom=FILE|none (default: iPXE for a BIOS, if the package ipxe-qemu is there).",
     .repeatable = true,
     .store = store_net},
    {.group = machine,
     .name = "--vsock",
     .value = "cid=N,path=FILE",
     .kind = ValueKind::keys,
     .words = "cid=|path=",
     .help = "a virtio socket device. FILE is a Unix socket to be made: programs of this host "
             "connect to it and write CONNECT PORT to reach the guest's port; what the guest "
             "connects to on CID 2 goes to the Unix socket FILE_PORT. N is the guest's own CID, "
             "from 3.",
     .store = store_vsock},
    {.group = machine,
     .name = "--metadata",
     .value = "FILE.json",
     .kind = ValueKind::file,
     .help = "a metadata service on the first network card, at 169.254.169.254, that shows the "
             "guest what this file holds",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.run.metadata_path = v; }},
    {.group = machine,
     .name = "--metadata-version",
     .value = "VERSION",
     .kind = ValueKind::words,
     .words = "v1|v2",
     .help = "v1: the service answers every GET; v2: only those with a token of its own (default: "
             "v1)",
     .store =
         [](CommandDraft& d, const FlagSpec&, Value v) {
             d.run.config.mmds.emplace().version =
                 v == "v2" ? MmdsConfig::Version::v2 : MmdsConfig::Version::v1;
         }},
    {.group = machine,
     .name = "--no-rng",
     .help = "leave out the virtio entropy device",
     .store = [](CommandDraft& d, const FlagSpec&, Value) { d.run.config.rng = false; }},
    {.group = machine,
     .name = "--balloon",
     .value = "SIZE[,KEY=VALUE...]",
     .kind = ValueKind::keys,
     .words = "deflate-on-oom=on|deflate-on-oom=off|reporting=on|reporting=off",
     .help =
         "a virtio memory balloon that takes SIZE of the guest's memory back, 0 for none of it; "
         "keys: deflate-on-oom=on|off, reporting=on|off (memory the guest frees goes back too)",
     .store = store_balloon},
    {.group = machine,
     .name = "--id",
     .value = "NAME",
     .kind = ValueKind::text,
     .help = "a name for this machine, at the start of its log lines",
     .store = [](CommandDraft& d, const FlagSpec& f,
                 Value v) { d.run.config.id = parse_id_flag(f.name, v); }},
    {.group = machine,
     .name = "--cdrom",
     .value = "FILE",
     .kind = ValueKind::file,
     .help = "an ISO image in a SATA CD drive, on board pc",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.run.config.cdrom_path = v; }},
    {.group = machine,
     .name = "--vga",
     .value = "KIND",
     .kind = ValueKind::words,
     .words = "none|std",
     .help = "a display adapter on board pc: none, or std, VGA with Bochs graphics (default: none)",
     .store = [](CommandDraft& d, const FlagSpec&,
                 Value v) { d.run.config.vga = v == "std" ? VgaKind::std_vga : VgaKind::none; }},
    {.group = consoles,
     .name = "--display",
     .value = "WHERE",
     .kind = ValueKind::words,
     .words = "none|terminal",
     .help = "where the screen of --vga is shown while the guest runs: none, or terminal, its text "
             "and its keyboard on this terminal, the serial port not (default: none)",
     .store = [](CommandDraft& d, const FlagSpec&,
                 Value v) { d.run.display_on_terminal = v == "terminal"; }},
    {.group = consoles,
     .name = "--serial",
     .value = "WHERE",
     .kind = ValueKind::forms,
     .words = "stdio|none|file=|socket=|pty",
     .help = "the first serial port, ttyS0: stdio (this terminal), none, file=FILE, socket=FILE (a "
             "Unix socket to connect to) or pty (default: stdio)",
     .store = store_serial},
    {.group = consoles,
     .name = "--virtio-console",
     .help = "a virtio console, hvc0, on this terminal instead of the serial port",
     .store = [](CommandDraft& d, const FlagSpec&, Value) { d.run.config.virtio_console = true; }},
    {.group = consoles,
     .name = "--debugcon",
     .value = "FILE",
     .kind = ValueKind::file,
     .help = "write what the guest sends to ports 0x402 and 0xe9",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.run.config.debugcon_path = v; }},
    {.group = life,
     .name = "--on-reboot",
     .value = "ACTION",
     .kind = ValueKind::words,
     .words = "restart|exit",
     .help = "what a reset of the guest does: restart, or exit with status 4 (default: restart)",
     .store =
         [](CommandDraft& d, const FlagSpec&, Value v) {
             d.run.config.on_reboot = v == "exit" ? OnReboot::exit : OnReboot::restart;
         }},
    {.group = life,
     .name = "--debug-exit",
     .help = "board pc: a byte V that the guest writes to port 0xf4 ends the run with status "
             "2 * V + 1 (isa-debug-exit)",
     .store = [](CommandDraft& d, const FlagSpec&, Value) { d.run.config.debug_exit = true; }},
    {.group = life,
     .name = "--timeout",
     .value = "SECONDS",
     .kind = ValueKind::text,
     .help = "stop the run after this long, with status 124 (default: none)",
     .store = [](CommandDraft& d, const FlagSpec& f,
                 Value v) { d.run.config.timeout_s = parse_seconds_flag(f.name, v); }},
    {.group = diagnostics,
     .name = "--post-codes",
     .value = "FILE",
     .kind = ValueKind::file,
     .help = "write what the guest sends to port 0x80, with the time of each",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.run.config.post_codes_path = v; }},
    timeline_flag(diagnostics,
                  [](CommandDraft& d, const FlagSpec&, Value v) {
                      d.run.config.timeline_paths.push_back(checked_timeline_path(v));
                  }),
    {.group = diagnostics,
     .name = "--log-level",
     .value = "LEVEL",
     .kind = ValueKind::words,
     .words = "off|error|warn|info|debug",
     .help = "how much to say: off, error, warn, info or debug (default: warn)",
     .store = store_log_level},
    {.group = diagnostics,
     .name = "--log",
     .value = "FILE",
     .kind = ValueKind::file,
     .help = "where to say it (default: stderr)",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.run.log_path = v; }},
    {.group = diagnostics,
     .name = "--screenshot",
     .value = "FILE.png",
     .kind = ValueKind::file,
     .help = "a picture of the screen when the run ends; needs --vga std",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.run.config.screenshot_path = v; }},
    {.group = diagnostics,
     .name = "--screen-text",
     .value = "FILE",
     .kind = ValueKind::file,
     .help = "the characters on a text screen when the run ends; needs --vga std",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.run.config.screen_text_path = v; }},
    {.group = outside,
     .name = "--api-sock",
     .value = "PATH",
     .kind = ValueKind::file,
     .help = "a control socket beside the run, for 'coldstart ctl' and clients of Firecracker's "
             "API",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.run.api.socket_path = v; }},
    {.group = outside,
     .name = "--events",
     .value = "FILE",
     .kind = ValueKind::file,
     .help =
         "write each event of the machine, as the control socket has them, as a line of JSON as "
         "it happens; FILE may be a FIFO that somebody reads",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.run.events_path = v; }},
    {.group = outside,
     .name = "--config",
     .value = "FILE.json",
     .kind = ValueKind::file,
     .help = "the machine as a file has it, in the JSON of the control socket; flags go before it",
     .early = true,
     .store = [](CommandDraft& d, const FlagSpec&,
                 Value v) { d.run.requests = apply_config_file(std::string(v), d.run.config); }},
};

} // namespace

CommandSpec run_spec() noexcept {
    return {.name = "run",
            .summary = "boot a microVM in the foreground, its console on this terminal",
            .details =
                "Boots a kernel directly, or a firmware that finds something to boot on a disk, a\n"
                "CD or the network, and puts the guest's console on this terminal. Ctrl-A x\n"
                "quits, Ctrl-A h shows the other keys.\n"
                "\n"
                "Without --cmdline the kernel gets a console and settings that make boot quick:\n"
                "  console=ttyS0 panic=-1 8250.nr_uarts=1 random.trust_cpu=on\n"
                "  cryptomgr.notests\n"
                "Unless the command line has such a word already, coldstart adds to it\n"
                "  root=/dev/vda rw   with a --disk (ro if it is read-only) and no --initrd\n"
                "  reboot=panic_warm  by which a panic is told from a reboot: a panic ends the\n"
                "                     run with status 3, whatever --on-reboot says\n"
                "  pci=off            on board micro, which has no PCI\n",
            .examples =
                "  coldstart run --kernel vmlinuz --initrd initrd.img\n"
                "  coldstart run --kernel vmlinuz --disk path=root.ext4 --memory 1G --cpus 2\n"
                "  coldstart run --kernel vmlinuz --initrd t.cpio --timeout 30 --on-reboot exit\n"
                "  coldstart run --firmware bios-256k.bin --disk path=disk.img --vga std\n"
                "  coldstart run --firmware OVMF_CODE_4M.fd --nvram vars.fd --nvram-template\n"
                "      OVMF_VARS_4M.fd --cdrom install.iso\n",
            .flags = run_flags,
            .finish = finish_run};
}

} // namespace coldstart
