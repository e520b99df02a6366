#include "vmm/cli/bench/bench_flags.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/cli/bench/candidate.h"
#include "vmm/cli/flag_values.h"

#include <algorithm>

namespace coldstart {
namespace {

using Value = std::string_view;

constexpr Value guest = "The guest, of boot";
constexpr Value ways = "Ways to boot it, of boot";
constexpr Value measuring = "Measuring, of boot";
constexpr Value output = "Output";

constexpr std::uint64_t max_runs = 100'000;

unsigned parse_count(Value flag, Value value, std::uint64_t least) {
    const auto count = parse_decimal(value);
    if (!count || *count < least || *count > max_runs)
        throw UsageError(cat(flag, ' ', printable(value, 60), ": not a number of runs"),
                         cat("accepted: ", least, " to ", max_runs));
    return static_cast<unsigned>(*count);
}

/// A disk that every run finds as the one before did: read-only unless the user insists.
void store_disk(CommandDraft& draft, const FlagSpec& flag, Value value) {
    DiskConfig disk = parse_disk_flag(flag.name, value);
    disk.read_only = disk.read_only || value.find("readonly=off") == Value::npos;
    draft.bench.disks.push_back(std::move(disk));
}

void store_modes(CommandDraft& draft, const FlagSpec& flag, Value value) {
    while (true) {
        const std::size_t comma = value.find(',');
        const Value mode = value.substr(0, comma);
        bool known = false;
        for_each_word(bench_modes, [&](Value word) { known = known || word == mode; });
        if (!known) {
            std::string accepted(bench_modes);
            std::replace(accepted.begin(), accepted.end(), '|', ' ');
            throw UsageError(cat(flag.name, ' ', printable(mode, 60), ": no such mode"),
                             cat("accepted, joined by commas: ", accepted));
        }
        draft.bench.modes.emplace_back(mode);
        if (comma == Value::npos)
            return;
        value.remove_prefix(comma + 1);
    }
}

void store_peer(CommandDraft& draft, const FlagSpec& flag, Value value) {
    const std::size_t equals = value.find('=');
    const Value name = value.substr(0, equals);
    const Value program = equals == Value::npos ? Value() : value.substr(equals + 1);
    PeerChoice peer;
    if (name == "qemu")
        peer = {PeerKind::qemu, "qemu-system-x86_64"};
    else if (name == "kvmtool")
        peer = {PeerKind::kvmtool, "lkvm"};
    else if (name == "firecracker")
        peer = {PeerKind::firecracker, "firecracker"};
    else
        throw UsageError(cat(flag.name, ' ', printable(name, 60), ": no such monitor"),
                         "accepted: qemu, kvmtool, firecracker, each with =PATH if it is not in "
                         "PATH");
    if (!program.empty())
        peer.program = program;
    draft.bench.peers.push_back(std::move(peer));
}

void store_ready(CommandDraft& draft, const FlagSpec& flag, Value value) {
    if (value.size() > ReadyWatch::kept_bytes || value.find('\n') != Value::npos)
        throw UsageError(cat(flag.name, ": not a text within a line"),
                         cat("accepted: up to ", ReadyWatch::kept_bytes, " bytes of one line"));
    if (draft.bench.ready.kind == ReadyCondition::Kind::post_code)
        throw UsageError(cat(flag.name, ": --ready-code was given as well"),
                         "leave one of the two out");
    draft.bench.ready.kind = ReadyCondition::Kind::console_text;
    draft.bench.ready.text = value;
}

void store_ready_code(CommandDraft& draft, const FlagSpec& flag, Value value) {
    const auto code = parse_number(value);
    if (!code || *code > 0xff)
        throw UsageError(cat(flag.name, ' ', printable(value, 60), ": not a byte"),
                         "accepted: 0 to 255, or 0x00 to 0xff");
    if (draft.bench.ready.kind == ReadyCondition::Kind::console_text)
        throw UsageError(cat(flag.name, ": --ready was given as well"), "leave one of the two out");
    draft.bench.ready.kind = ReadyCondition::Kind::post_code;
    draft.bench.ready.code = static_cast<std::uint8_t>(*code);
}

constexpr FlagSpec bench_flags[] = {
    {.group = guest,
     .name = "--kernel",
     .value = "FILE",
     .kind = ValueKind::file,
     .help = "a bzImage, from which the vmlinux is unpacked, or an ELF kernel",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.bench.kernel_path = v; }},
    {.group = guest,
     .name = "--initrd",
     .value = "FILE",
     .kind = ValueKind::file,
     .help = "initial RAM disk handed to the kernel",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.bench.initrd_path = v; }},
    {.group = guest,
     .name = "--cmdline",
     .value = "TEXT",
     .kind = ValueKind::text,
     .help = "kernel command line, the same for all (default: a quiet console on ttyS0 and what "
             "makes boot quick)",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.bench.command_line = v; }},
    {.group = guest,
     .name = "--disk",
     .value = "path=FILE[,KEY=VALUE...]",
     .kind = ValueKind::keys,
     .words = "path=|readonly=on|readonly=off|id=|serial=|cache=writeback|cache=none|cache=unsafe",
     .help = "a disk, with the keys of 'coldstart run'; may be repeated. Read-only unless "
             "readonly=off is said, so that each run finds what the one before found",
     .repeatable = true,
     .store = store_disk},
    {.group = guest,
     .name = "--cpus",
     .value = "N",
     .kind = ValueKind::text,
     .help = "virtual CPUs, 1 to 64 (default: 1)",
     .store = [](CommandDraft& d, const FlagSpec& f,
                 Value v) { d.bench.cpus = parse_cpus_flag(f.name, v); }},
    {.group = guest,
     .name = "--memory",
     .value = "SIZE",
     .kind = ValueKind::text,
     .help = "RAM, with K, M or G in powers of 1024 (default: 256M)",
     .store = [](CommandDraft& d, const FlagSpec& f,
                 Value v) { d.bench.memory_bytes = parse_memory_flag(f.name, v); }},
    {.group = guest,
     .name = "--ready",
     .value = "TEXT",
     .kind = ValueKind::text,
     .help = "the guest is ready when a line of its console contains this (default: when it "
             "writes a line to the readiness port)",
     .store = store_ready},
    {.group = guest,
     .name = "--ready-code",
     .value = "N",
     .kind = ValueKind::text,
     .help = "the guest is ready when it writes this POST code to port 0x80",
     .store = store_ready_code},
    {.group = ways,
     .name = "--modes",
     .value = "MODE[,MODE...]",
     .kind = ValueKind::text,
     .help = "some of linux, linux-bzimage, pvh, seabios-kernel, seabios-grub, ovmf-kernel and "
             "ovmf-grub (default: all that the files allow)",
     .store = store_modes},
    {.group = ways,
     .name = "--firmware-seabios",
     .value = "FILE",
     .kind = ValueKind::file,
     .help = "SeaBIOS's image (default: that of Debian's package seabios)",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.bench.seabios_path = v; }},
    {.group = ways,
     .name = "--firmware-ovmf",
     .value = "FILE",
     .kind = ValueKind::file,
     .help = "OVMF's image (default: that of Debian's package ovmf)",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.bench.ovmf_path = v; }},
    {.group = ways,
     .name = "--nvram-template",
     .value = "FILE",
     .kind = ValueKind::file,
     .help = "OVMF's variable store; each run gets a fresh copy",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.bench.ovmf_template_path = v; }},
    {.group = ways,
     .name = "--grub-bios",
     .value = "FILE",
     .kind = ValueKind::file,
     .help = "a disk that a BIOS boots, as scripts/grub-disks makes one (default: the first --disk "
             "with boot code)",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.bench.grub_bios_path = v; }},
    {.group = ways,
     .name = "--grub-uefi",
     .value = "FILE",
     .kind = ValueKind::file,
     .help = "a disk that UEFI boots (default: the first --disk with an EFI system partition)",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.bench.grub_uefi_path = v; }},
    {.group = ways,
     .name = "--peer",
     .value = "MONITOR[=PATH]",
     .kind = ValueKind::text,
     .help = "another monitor that boots the same guest in turn with ours: qemu (its microvm and "
             "its q35), kvmtool or firecracker; may be repeated; needs --ready TEXT",
     .repeatable = true,
     .store = store_peer},
    {.group = measuring,
     .name = "--runs",
     .value = "N",
     .kind = ValueKind::text,
     .help = "of each mode and monitor, in turn (default: 10)",
     .store = [](CommandDraft& d, const FlagSpec& f,
                 Value v) { d.bench.runs = parse_count(f.name, v, 1); }},
    {.group = measuring,
     .name = "--warmup",
     .value = "N",
     .kind = ValueKind::text,
     .help = "runs of each before those that count (default: 1)",
     .store = [](CommandDraft& d, const FlagSpec& f,
                 Value v) { d.bench.warmup = parse_count(f.name, v, 0); }},
    {.group = measuring,
     .name = "--timeout",
     .value = "SECONDS",
     .kind = ValueKind::text,
     .help = "a run that is not ready after this long has failed (default: 60)",
     .store = [](CommandDraft& d, const FlagSpec& f,
                 Value v) { d.bench.timeout_s = parse_seconds_flag(f.name, v); }},
    {.group = measuring,
     .name = "--no-phases",
     .help = "do not ask coldstart for timelines: guests are killed as soon as they are ready",
     .store = [](CommandDraft& d, const FlagSpec&, Value) { d.bench.phases = false; }},
    {.group = output,
     .name = "--json",
     .value = "FILE",
     .kind = ValueKind::file,
     .help = "boot, compare: write every run, or the comparison, as JSON",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.bench.json_path = v; }},
    {.group = output,
     .name = "--html",
     .value = "FILE",
     .kind = ValueKind::file,
     .help = "boot, timeline: write a page with a chart",
     .store = [](CommandDraft& d, const FlagSpec&, Value v) { d.bench.html_path = v; }},
};

constexpr OperandSpec verbs[] = {
    {"boot", "boot one guest in every way, and tell how long each takes"},
    {"compare A.json B.json", "what changed from A to B by more than the noise"},
    {"timeline A.json [B.json]",
     "where the time of a run, or of two, went: files of run --timeline"},
};

Command finish_boot(const BenchCommand& bench) {
    if (!bench.arguments.empty())
        throw UsageError(
            cat("bench boot: unexpected argument '", printable(bench.arguments.front(), 60), "'"),
            "flags begin with --");
    if (bench.kernel_path.empty() && bench.disks.empty() && bench.grub_bios_path.empty() &&
        bench.grub_uefi_path.empty())
        throw UsageError("bench boot: nothing to boot",
                         "name a kernel, --kernel FILE, or a disk, --grub-bios FILE");
    if (!bench.peers.empty() && bench.ready.kind != ReadyCondition::Kind::console_text)
        throw UsageError("--peer: other monitors have no readiness port",
                         "add --ready TEXT, which the guest's console shows");
    return bench;
}

Command finish_compare(const BenchCommand& bench) {
    if (bench.arguments.size() != 2)
        throw UsageError(cat("bench compare: ", bench.arguments.size(), " files, not two"),
                         "write coldstart bench compare BEFORE.json AFTER.json");
    if (!bench.html_path.empty() || !bench.kernel_path.empty())
        throw UsageError("bench compare: takes no flag but --json",
                         "write coldstart bench compare BEFORE.json AFTER.json");
    return bench;
}

Command finish_timeline(const BenchCommand& bench) {
    constexpr const char* usage = "write coldstart bench timeline A.json [B.json] --html FILE";
    if (bench.arguments.empty() || bench.arguments.size() > 2)
        throw UsageError(cat("bench timeline: ", bench.arguments.size(), " files, not one or two"),
                         usage);
    if (!bench.json_path.empty() || !bench.kernel_path.empty())
        throw UsageError("bench timeline: takes no flag but --html", usage);
    return bench;
}

Command finish_bench(CommandDraft& draft) {
    if (draft.bench.verb == "timeline")
        return finish_timeline(draft.bench);
    return draft.bench.verb == "boot" ? finish_boot(draft.bench) : finish_compare(draft.bench);
}

void store_operand(CommandDraft& draft, Value value) {
    if (draft.bench.verb.empty())
        draft.bench.verb = value;
    else
        draft.bench.arguments.emplace_back(value);
}

} // namespace

CommandSpec bench_spec() noexcept {
    return {
        .name = "bench",
        .operand = "VERB [ARG...]",
        .operand_kind = ValueKind::words,
        .operand_words = "boot|compare|timeline",
        .operand_list = verbs,
        .operands_follow = true,
        .summary = "how long a guest takes to boot, in every way and beside other monitors",
        .details =
            "boot: starts the guest again and again, in turn through the modes, measures from\n"
            "the start of the process to the guest's being ready, and prints a table.\n"
            "Exit status: 0 every run became ready, 1 one failed or something asked for\n"
            "could not be run, 124 one took too long, 128+N ended by signal N.\n"
            "compare: exit status 0 nothing is slower, 5 something is.\n",
        .examples =
            "  coldstart bench boot --kernel vmlinuz --initrd initrd.img --ready 'login:'\n"
            "  coldstart bench boot --kernel vmlinuz --initrd i --modes linux,pvh --runs 30 \\\n"
            "      --ready login: --peer qemu --json new.json --html new.html\n"
            "  coldstart bench compare old.json new.json\n"
            "  coldstart bench timeline old.json new.json --html both.html\n",
        .flags = bench_flags,
        .store_operand = store_operand,
        .finish = finish_bench};
}

} // namespace coldstart
