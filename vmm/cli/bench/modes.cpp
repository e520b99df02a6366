#include "vmm/base/byte_size.h"
#include "vmm/base/text.h"
#include "vmm/cli/bench/candidate.h"
#include "vmm/cli/bench/words.h"

#include <algorithm>
#include <array>
#include <utility>

namespace coldstart {
namespace {

enum class Firmware { none, seabios, ovmf };
enum class Payload { elf, bzimage, grub };

struct Mode {
    std::string_view name, title;
    std::string_view boot; ///< of --boot
    Firmware firmware;
    Payload payload;
};

constexpr std::array modes{
    Mode{"linux", "Linux 64-bit protocol, vmlinux", "linux", Firmware::none, Payload::elf},
    Mode{"linux-bzimage", "Linux 64-bit protocol, bzImage", "linux", Firmware::none,
         Payload::bzimage},
    Mode{"pvh", "PVH, vmlinux", "pvh", Firmware::none, Payload::elf},
    Mode{"seabios-kernel", "SeaBIOS, handed the kernel", "firmware", Firmware::seabios,
         Payload::bzimage},
    Mode{"seabios-grub", "SeaBIOS, GRUB on a disk", "firmware", Firmware::seabios, Payload::grub},
    Mode{"ovmf-kernel", "OVMF, handed the kernel", "firmware", Firmware::ovmf, Payload::bzimage},
    Mode{"ovmf-grub", "OVMF, GRUB on a disk", "firmware", Firmware::ovmf, Payload::grub},
};

std::string disk_value(const DiskConfig& disk) {
    std::string value = "path=" + doubled_commas(disk.path);
    value += disk.read_only ? ",readonly=on" : ",readonly=off";
    if (!disk.id.empty())
        value += ",id=" + disk.id;
    if (!disk.serial.empty())
        value += ",serial=" + doubled_commas(disk.serial);
    if (disk.cache != DiskCache::writeback)
        value += disk.cache == DiskCache::none ? ",cache=none" : ",cache=unsafe";
    if (disk.bus == DiskBus::sata)
        value += ",bus=sata";
    if (disk.boot_index)
        value += cat(",bootindex=", *disk.boot_index);
    return value;
}

/// Why the mode can't be run with these files; empty: it can.
std::string missing_for(const Mode& mode, const GuestSpec& guest, const BootFiles& files) {
    if (!files.no_linux.empty())
        return files.no_linux;
    if (mode.firmware == Firmware::seabios && files.seabios.empty())
        return files.no_seabios;
    if (mode.firmware == Firmware::ovmf && files.ovmf.empty())
        return files.no_ovmf;
    if (mode.payload == Payload::bzimage && files.bzimage.empty())
        return files.no_bzimage;
    if (mode.payload == Payload::elf && files.elf.empty())
        return files.no_elf;
    if (mode.payload == Payload::grub && mode.firmware == Firmware::seabios &&
        files.grub_bios.empty())
        return files.no_grub_bios;
    if (mode.payload == Payload::grub && mode.firmware == Firmware::ovmf && files.grub_uefi.empty())
        return files.no_grub_uefi;
    if (mode.boot == "linux" && !files.linux_entry)
        return "the kernel has no 64-bit Linux entry";
    if (mode.boot == "pvh" && !files.pvh_entry)
        return "the kernel has no PVH entry";
    const bool sata = std::any_of(guest.disks.begin(), guest.disks.end(),
                                  [](const auto& disk) { return disk.bus == DiskBus::sata; });
    if (sata && mode.firmware == Firmware::none)
        return "a disk on bus=sata needs firmware";
    return "";
}

void add_kernel(Words& words, const std::string& kernel, const GuestSpec& guest,
                const BootFiles& files) {
    add_words(words, {"--kernel", kernel, "--cmdline=" + guest.command_line});
    if (!files.initrd.empty())
        add_words(words, {"--initrd", files.initrd});
}

void add_firmware(Words& words, Candidate& candidate, const Mode& mode, const GuestSpec& guest,
                  const BootFiles& files) {
    add_words(words, {"--firmware", mode.firmware == Firmware::ovmf ? files.ovmf : files.seabios});
    if (mode.firmware != Firmware::ovmf || files.ovmf_template.empty())
        return;
    candidate.nvram_template = files.ovmf_template;
    candidate.nvram_path = guest.scratch + "/" + candidate.name + ".nvram";
    add_words(words, {"--nvram", candidate.nvram_path});
}

void add_disks(Words& words, const Mode& mode, const GuestSpec& guest, const BootFiles& files) {
    const std::string* grub = nullptr;
    if (mode.payload == Payload::grub)
        grub = mode.firmware == Firmware::ovmf ? &files.grub_uefi : &files.grub_bios;
    if (grub != nullptr) {
        DiskConfig disk;
        disk.path = *grub;
        disk.read_only = true;
        disk.boot_index = 0;
        // It may be one of the guest's own, which then keeps what was said of it.
        for (const DiskConfig& own : guest.disks) {
            if (own.path == *grub)
                disk = own;
        }
        add_words(words, {"--disk", disk_value(disk)});
    }
    for (const DiskConfig& disk : guest.disks) {
        if (grub == nullptr || disk.path != *grub)
            add_words(words, {"--disk", disk_value(disk)});
    }
}

} // namespace

Candidate mode_candidate(std::string_view name, const GuestSpec& guest, const BootFiles& files) {
    const Mode& mode = *std::find_if(modes.begin(), modes.end(),
                                     [name](const Mode& known) { return known.name == name; });
    Candidate candidate{.name = std::string(name), .title = std::string(mode.title)};
    candidate.is_coldstart = true;
    candidate.skipped = missing_for(mode, guest, files);
    if (!candidate.skipped.empty())
        return candidate;
    Words& words = candidate.command;
    words = guest.coldstart;
    add_words(words, {"run", "--boot", std::string(mode.boot), "--cpus", cat(guest.cpus),
                      "--memory", format_byte_size(guest.memory_bytes)});
    if (mode.firmware != Firmware::none)
        add_firmware(words, candidate, mode, guest, files);
    if (mode.payload != Payload::grub)
        add_kernel(words, mode.payload == Payload::elf ? files.elf : files.bzimage, guest, files);
    add_disks(words, mode, guest, files);
    // What a peer has not got either, and none of the guests needs.
    add_words(words, {"--no-rng", "--on-reboot", "exit"});
    return candidate;
}

} // namespace coldstart
