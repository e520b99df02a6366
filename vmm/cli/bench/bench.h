// coldstart bench: how long guests take to become ready, by every way to boot them.
//   boot     runs one kernel through the boot modes, and under other monitors, alternately
//   compare  says what changed between two of its reports
//   timeline shows where the time of one run went, or of two
// docs/benchmark.md tells how to use it and what the figures mean.
// Threads: one.
#pragma once

#include "api/command/vm_config.h"
#include "vmm/cli/bench/ready_watch.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coldstart {

/// A monitor other than coldstart.
enum class PeerKind { qemu, kvmtool, firecracker };

struct PeerChoice {
    PeerKind kind = PeerKind::qemu;
    std::string program; ///< a path, or a name to be found in PATH
};

struct BenchCommand {
    std::string verb;
    std::vector<std::string> arguments; ///< files, of compare and timeline

    std::string kernel_path; ///< may be empty: only disks are booted then
    std::optional<std::string> initrd_path;
    std::vector<DiskConfig> disks;
    std::string command_line;       ///< empty: bench_command_line
    std::vector<std::string> modes; ///< empty: all that the files allow
    std::vector<PeerChoice> peers;
    std::uint32_t cpus = 1;
    std::uint64_t memory_bytes = 256 * MiB;
    ReadyCondition ready;
    unsigned runs = 10;
    unsigned warmup = 1;
    double timeout_s = 60;                                   ///< of one run
    bool phases = true;                                      ///< ask coldstart for timelines
    std::string seabios_path, ovmf_path, ovmf_template_path; ///< empty: Debian's, where it is there
    std::string grub_bios_path,
        grub_uefi_path; ///< disks with GRUB; empty: a fitting one of `disks`
    std::string json_path, html_path;
};

/// What a kernel is told unless the user says something else: the same for every mode and monitor.
inline constexpr const char* bench_command_line =
    "console=ttyS0 quiet panic=-1 random.trust_cpu=on cryptomgr.notests reboot=panic_warm";

/// The exit status. Throws Error.
int run_bench(const BenchCommand& command);

} // namespace coldstart
