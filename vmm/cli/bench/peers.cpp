// The command lines of other monitors, each as its users tune it for a quick boot, with no more
// devices than coldstart's board has.
// Sources: QEMU docs/system/i386/microvm.rst, Firecracker docs/getting-started.md, kvmtool's
// lkvm-run manual page.
#include "vmm/base/byte_size.h"
#include "vmm/base/text.h"
#include "vmm/cli/bench/candidate.h"
#include "vmm/cli/bench/words.h"

#include <utility>

namespace coldstart {
namespace {

void add_qemu_disks(Words& words, const GuestSpec& guest, const std::string& device) {
    for (std::size_t i = 0; i < guest.disks.size(); ++i) {
        const DiskConfig& disk = guest.disks[i];
        std::string drive =
            cat("if=none,format=raw,id=bench", i, ",file=", doubled_commas(disk.path));
        drive += disk.read_only ? ",readonly=on" : "";
        drive += disk.cache == DiskCache::none ? ",cache=none" : "";
        add_words(words, {"-drive", drive, "-device", cat(device, ",drive=bench", i)});
    }
}

void add_qemu_guest(Words& words, const std::string& kernel, const GuestSpec& guest,
                    const BootFiles& files) {
    add_words(words, {"-accel",
                      "kvm",
                      "-cpu",
                      "host",
                      "-smp",
                      cat(guest.cpus),
                      "-m",
                      cat(guest.memory_bytes / MiB),
                      "-no-user-config",
                      "-nodefaults",
                      "-no-reboot",
                      "-display",
                      "none",
                      "-monitor",
                      "none",
                      "-serial",
                      "stdio",
                      "-kernel",
                      kernel,
                      "-append",
                      guest.command_line});
    if (!files.initrd.empty())
        add_words(words, {"-initrd", files.initrd});
    if (!guest.qemu_data.empty())
        add_words(words, {"-L", guest.qemu_data});
}

Candidate qemu_microvm(const Words& program, const GuestSpec& guest, const BootFiles& files) {
    Candidate candidate{.name = "qemu-microvm", .title = "QEMU microvm (tuned), vmlinux"};
    candidate.skipped = !files.elf.empty() && !files.pvh_entry
                            ? "QEMU enters a vmlinux by PVH, and the kernel has no PVH entry"
                        : files.elf.empty() ? files.no_elf
                                            : "";
    if (!candidate.skipped.empty())
        return candidate;
    // rtc=on: without it Linux looks for a clock that is not there for more than a second.
    candidate.command = program;
    add_words(candidate.command, {"-M", "microvm,rtc=on,x-option-roms=off,pit=off,pic=off"});
    add_qemu_guest(candidate.command, files.elf, guest, files);
    add_qemu_disks(candidate.command, guest, "virtio-blk-device");
    return candidate;
}

Candidate qemu_q35(const Words& program, const GuestSpec& guest, const BootFiles& files) {
    Candidate candidate{.name = "qemu-q35", .title = "QEMU q35, SeaBIOS, handed the kernel"};
    const std::string& kernel = files.bzimage.empty() ? files.elf : files.bzimage;
    candidate.skipped = kernel.empty() ? files.no_elf : "";
    if (!candidate.skipped.empty())
        return candidate;
    candidate.command = program;
    add_words(candidate.command, {"-M", "q35", "-vga", "none"});
    // The same image as coldstart's, if there is one.
    if (!files.seabios.empty())
        add_words(candidate.command, {"-bios", files.seabios});
    add_qemu_guest(candidate.command, kernel, guest, files);
    add_qemu_disks(candidate.command, guest, "virtio-blk-pci,disable-legacy=on");
    return candidate;
}

Candidate kvmtool(const Words& program, const GuestSpec& guest, const BootFiles& files) {
    Candidate candidate{.name = "kvmtool", .title = "kvmtool, bzImage"};
    candidate.skipped = files.bzimage.empty() ? files.no_bzimage : "";
    if (!candidate.skipped.empty())
        return candidate;
    candidate.command = program;
    add_words(candidate.command, {"run", "--kernel", files.bzimage, "--cpus", cat(guest.cpus),
                                  "--mem", cat(guest.memory_bytes / MiB), "--console", "serial",
                                  "--network", "mode=none", "--params", guest.command_line});
    if (!files.initrd.empty())
        add_words(candidate.command, {"--initrd", files.initrd});
    for (const DiskConfig& disk : guest.disks)
        add_words(candidate.command, {"--disk", disk.path + (disk.read_only ? ",ro" : "")});
    return candidate;
}

Candidate firecracker(const Words& program, const GuestSpec& guest, const BootFiles& files) {
    Candidate candidate{.name = "firecracker", .title = "Firecracker, vmlinux"};
    candidate.skipped = files.elf.empty() ? files.no_elf : "";
    if (!candidate.skipped.empty())
        return candidate;
    candidate.command = program;
    add_words(candidate.command,
              {"--no-api", "--config-file", guest.scratch + "/firecracker.json"});
    return candidate;
}

} // namespace

std::string_view peer_name(PeerKind kind) noexcept {
    switch (kind) {
    case PeerKind::kvmtool:
        return "kvmtool";
    case PeerKind::firecracker:
        return "firecracker";
    case PeerKind::qemu:
        break;
    }
    return "qemu";
}

std::vector<Candidate> peer_candidates(PeerKind kind, const Words& program, const GuestSpec& guest,
                                       const BootFiles& files) {
    std::vector<Candidate> candidates;
    switch (kind) {
    case PeerKind::qemu:
        candidates = {qemu_microvm(program, guest, files), qemu_q35(program, guest, files)};
        break;
    case PeerKind::kvmtool:
        candidates = {kvmtool(program, guest, files)};
        break;
    case PeerKind::firecracker:
        candidates = {firecracker(program, guest, files)};
        break;
    }
    if (!files.no_linux.empty()) {
        for (Candidate& candidate : candidates)
            candidate.skipped = files.no_linux;
    }
    return candidates;
}

} // namespace coldstart
