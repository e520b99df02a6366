// What a benchmark starts: a boot mode of coldstart, or another monitor with the same guest, as a
// command line. Pure: which files there are and what they hold has been found out before.
#pragma once

#include "vmm/cli/bench/bench.h"
#include "vmm/cli/bench/words.h"

#include <string>
#include <string_view>
#include <vector>

namespace coldstart {

/// The files of a benchmark. Empty: there is none, and `no_...` says why.
struct BootFiles {
    std::string bzimage, no_bzimage; ///< a kernel with the code that firmware starts
    std::string elf, no_elf;         ///< the vmlinux: given, or unpacked from the bzImage
    bool linux_entry = false;        ///< the ELF kernel can be entered by Linux's 64-bit protocol
    bool pvh_entry = false;
    std::string initrd; ///< may be empty
    std::string seabios, no_seabios;
    std::string ovmf, no_ovmf;
    std::string ovmf_template; ///< of the variable store
    std::string grub_bios, no_grub_bios;
    std::string grub_uefi, no_grub_uefi;
    bool named_file_missing = false; ///< a firmware or a disk that a flag names
    std::string no_linux; ///< why this host can't run a Linux kernel; empty: it can, or it is none
};

struct Candidate {
    std::string name, title;
    Words command = {};       ///< command[0] is a path
    std::string skipped = {}; ///< why it can't be run; then `command` may be empty
    bool is_coldstart = false;
    /// A fresh copy of `nvram_template` has to be here before each run; empty: there is none.
    std::string nvram_path = {}, nvram_template = {};
};

/// What the candidates have in common.
struct GuestSpec {
    Words coldstart; ///< starts our own program
    std::vector<DiskConfig> disks;
    std::string command_line; ///< as the kernel gets it
    std::uint32_t cpus = 1;
    std::uint64_t memory_bytes = 0;
    std::string scratch;   ///< a folder for what a candidate needs to be written
    std::string qemu_data; ///< QEMU's -L; empty: its own
};

/// The names that --modes takes, in the order they are shown in, separated by '|'.
inline constexpr std::string_view bench_modes =
    "linux|linux-bzimage|pvh|seabios-kernel|seabios-grub|ovmf-kernel|ovmf-grub";

/// One of `bench_modes`.
Candidate mode_candidate(std::string_view mode, const GuestSpec& guest, const BootFiles& files);

/// "qemu", "kvmtool", "firecracker"
std::string_view peer_name(PeerKind kind) noexcept;

/// One or two of a peer, which `program` starts.
std::vector<Candidate> peer_candidates(PeerKind kind, const Words& program, const GuestSpec& guest,
                                       const BootFiles& files);

/// Firecracker's configuration file for the guest.
std::string firecracker_config(const GuestSpec& guest, const BootFiles& files);

} // namespace coldstart
