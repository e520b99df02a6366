#include "vmm/cli/bench/plan.h"

#include "api/command/guest_command_line.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/cli/bench/bench_host.h"
#include "vmm/cli/bench/program.h"
#include "vmm/cli/flag_table.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace coldstart {
namespace {

constexpr const char* own_program = "/proc/self/exe";

/// With root= for the disk where that is the guest's root; the same for everybody.
std::string kernel_command_line(const BenchCommand& command) {
    if (command.kernel_path.empty())
        return "";
    VmConfig config;
    config.board = BoardKind::pc; // what board micro adds is right on board micro alone
    config.command_line = command.command_line.empty() ? bench_command_line : command.command_line;
    config.disks = command.disks;
    config.initrd_path = command.initrd_path;
    choose_root_disk(config);
    return guest_command_line(config);
}

BootReport describe(const BenchCommand& command) {
    BootReport report;
    report.coldstart_version = COLDSTART_VERSION;
    report.clock = bench_clock();
    report.kvm_kind = bench_kvm_kind();
    report.host = host_text();
    report.kernel = command.kernel_path;
    report.initrd = command.initrd_path.value_or("");
    for (const DiskConfig& disk : command.disks)
        report.disks.push_back(disk.path);
    report.command_line = kernel_command_line(command);
    report.ready = ready_text(command.ready);
    report.cpus = command.cpus;
    report.memory_bytes = command.memory_bytes;
    report.runs = command.runs;
    report.warmup = command.warmup;
    return report;
}

GuestSpec guest_spec(const BenchCommand& command, const BootReport& report, Stage& stage) {
    GuestSpec guest{.coldstart = {own_program},
                    .disks = command.disks,
                    .command_line = report.command_line,
                    .cpus = command.cpus,
                    .memory_bytes = command.memory_bytes,
                    .scratch = stage.folder(),
                    .qemu_data = ""};
    if (stage.in_memory())
        guest.coldstart =
            copy_program(std::filesystem::read_symlink(own_program).string(), stage.folder());
    for (DiskConfig& disk : guest.disks)
        disk.path = stage.file(disk.path, "--disk");
    return guest;
}

std::vector<Candidate> candidates_of(const PeerChoice& peer, GuestSpec guest,
                                     const BootFiles& files, Stage& stage) {
    const std::string path = find_program(peer.program);
    if (path.empty()) {
        Candidate missing{.name = std::string(peer_name(peer.kind)), .title = ""};
        missing.title = missing.name;
        missing.skipped = cat("there is no program ", printable(peer.program));
        return {missing};
    }
    Words program{path};
    if (stage.in_memory()) {
        program = copy_program(path, stage.folder());
        if (peer.kind == PeerKind::qemu) {
            copy_qemu_data(stage.folder());
            guest.qemu_data = stage.folder();
        }
    }
    if (peer.kind == PeerKind::firecracker)
        std::ofstream(stage.path("firecracker.json")) << firecracker_config(guest, files);
    return peer_candidates(peer.kind, program, guest, files);
}

Error nothing_to_run(const BenchPlan& plan) {
    std::string reasons;
    for (const Candidate& candidate : plan.candidates) {
        if (reasons.find(candidate.skipped) == std::string::npos)
            reasons += (reasons.empty() ? "" : "; ") + candidate.skipped;
    }
    return Error("bench boot: nothing can be run: " + reasons,
                 plan.report.kvm_kind == "emulating"
                     ? "use a host with VT-x or AMD-V or the lab (scripts/lab), or measure a guest "
                       "that is no Linux: a small PVH kernel with --modes pvh, or a boot sector "
                       "with --grub-bios FILE --modes seabios-grub"
                     : "see 'coldstart bench --help'");
}

} // namespace

BenchPlan plan_bench(const BenchCommand& command, Stage& stage) {
    BenchPlan plan;
    plan.report = describe(command);
    BootFiles files = stage.files(command);
    if (plan.report.kvm_kind == "emulating" && files.linux_entry &&
        std::getenv("COLDSTART_ALLOW_EMULATED_KVM") == nullptr)
        files.no_linux = "this KVM emulates kernel code and can't run Linux";
    const GuestSpec guest = guest_spec(command, plan.report, stage);
    for_each_word(bench_modes, [&](std::string_view mode) {
        const std::vector<std::string>& chosen = command.modes;
        if (chosen.empty() || std::find(chosen.begin(), chosen.end(), mode) != chosen.end())
            plan.candidates.push_back(mode_candidate(mode, guest, files));
    });
    plan.something_asked_for_is_missing = files.named_file_missing;
    for (const Candidate& candidate : plan.candidates)
        plan.something_asked_for_is_missing |= !command.modes.empty() && !candidate.skipped.empty();
    for (const PeerChoice& peer : command.peers) {
        for (Candidate& candidate : candidates_of(peer, guest, files, stage)) {
            plan.something_asked_for_is_missing |= !candidate.skipped.empty();
            plan.candidates.push_back(std::move(candidate));
        }
    }
    for (const Candidate& candidate : plan.candidates)
        plan.report.series.push_back(
            {candidate.name, candidate.title, candidate.command, candidate.skipped, {}});
    if (std::all_of(plan.candidates.begin(), plan.candidates.end(),
                    [](const Candidate& candidate) { return !candidate.skipped.empty(); }))
        throw nothing_to_run(plan);
    return plan;
}

} // namespace coldstart
