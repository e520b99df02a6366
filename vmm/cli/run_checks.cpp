#include "vmm/cli/run_checks.h"

#include "api/command/device_names.h"
#include "api/command/guest_command_line.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace coldstart {
namespace {

/// Two disks must not answer to one id; an empty one becomes disk0, disk1, ... by position.
void check_disk_ids(const VmConfig& config) {
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < config.disks.size(); ++i) {
        std::string id = disk_name(config, i);
        if (std::find(ids.begin(), ids.end(), id) != ids.end())
            throw UsageError(cat("--disk id=", id, ": two disks have this id"),
                             "give each an id of its own");
        ids.push_back(std::move(id));
    }
}

/// Settings that mean nothing without firmware.
void check_needs_no_firmware(const VmConfig& config) {
    if (std::any_of(config.disks.begin(), config.disks.end(),
                    [](const DiskConfig& disk) { return disk.bus == DiskBus::sata; }))
        throw UsageError("--disk bus=sata: only the board pc has SATA, and it boots by firmware",
                         "add --firmware FILE, or leave bus= out");
    for (const NetConfig& net : config.nets) {
        if (net.bootindex || net.rom_path)
            throw UsageError(cat("--net ", net.bootindex ? "bootindex" : "rom",
                                 "=: only firmware boots from a network"),
                             "add --firmware FILE, or leave it out");
    }
}

/// What to boot, and on which board: the flags that belong together, and those that do not.
void check_boot_source(CommandDraft& draft) {
    VmConfig& config = draft.run.config;
    const bool has_firmware = !config.firmware_path.empty();
    if (config.boot == BootMode::firmware && !has_firmware)
        throw UsageError("--boot firmware: --firmware is missing",
                         "name the image: --firmware /usr/share/seabios/bios-256k.bin");
    if (has_firmware && config.boot != BootMode::firmware && config.boot != BootMode::automatic)
        throw UsageError("--firmware with --boot linux or pvh: the kernel would be entered without "
                         "it",
                         "leave one of the two out");
    if (!has_firmware && config.kernel_path.empty())
        throw UsageError("run: nothing to boot",
                         "name a kernel, --kernel FILE, or a firmware, --firmware FILE");
    if (has_firmware && draft.board_given && config.board == BoardKind::micro)
        throw UsageError("--machine micro: firmware needs the board pc", "leave --machine out");
    if (has_firmware && config.irqchip == IrqchipKind::split)
        throw UsageError("--irqchip split: firmware needs the board pc, which has its interrupt "
                         "controllers in the kernel",
                         "leave --irqchip out");
    if (has_firmware && config.acpi == AcpiHardware::reduced)
        throw UsageError("--acpi reduced: firmware needs the board pc, whose chipset has fixed "
                         "hardware",
                         "leave --acpi out");
    if (!has_firmware && config.board == BoardKind::pc)
        throw UsageError("--machine pc: the board boots by firmware",
                         "add --firmware /usr/share/seabios/bios-256k.bin, or use --machine micro");
    if (!has_firmware && (!config.nvram_path.empty() || !config.nvram_template_path.empty()))
        throw UsageError("--nvram: a variable store without a firmware to use it",
                         "add --firmware OVMF_CODE_4M.fd");
    if (!has_firmware && config.smm == SmmMode::on)
        throw UsageError("--smm on: only the board pc has it, and it boots by firmware",
                         "add --firmware FILE");
    if (!has_firmware && config.debug_exit)
        throw UsageError("--debug-exit: only the board pc has the port, and it boots by firmware",
                         "add --firmware FILE");
    if (!has_firmware && (!config.cdrom_path.empty() || config.vga != VgaKind::none))
        throw UsageError(cat(config.cdrom_path.empty() ? "--vga" : "--cdrom",
                             ": only the board pc has one, and it boots by firmware"),
                         "add --firmware FILE");
    if (config.vga == VgaKind::none &&
        (!config.screenshot_path.empty() || !config.screen_text_path.empty()))
        throw UsageError(cat(config.screenshot_path.empty() ? "--screen-text" : "--screenshot",
                             ": there is no screen"),
                         "add --vga std");
    if (config.nvram_path.empty() && !config.nvram_template_path.empty())
        throw UsageError("--nvram-template: which file is to be made of it?", "add --nvram FILE");
    if (config.kernel_path.empty() && (config.initrd_path || config.command_line))
        throw UsageError(cat(config.initrd_path ? "--initrd" : "--cmdline",
                             ": there is no kernel to hand it to"),
                         "add --kernel FILE");
    if (has_firmware) {
        config.board = BoardKind::pc;
        config.boot = BootMode::firmware;
    } else {
        check_needs_no_firmware(config);
    }
}

/// The terminal can be the guest's display or its console.
void check_display(CommandDraft& draft) {
    VmConfig& config = draft.run.config;
    if (config.vga == VgaKind::none)
        throw UsageError("--display terminal: there is no screen", "add --vga std");
    if (config.virtio_console)
        throw UsageError("--virtio-console: the terminal is taken by --display terminal",
                         "leave one of the two out");
    if (draft.serial_given && config.serial.kind == SerialConfig::Kind::stdio)
        throw UsageError("--serial stdio: the terminal is taken by --display terminal",
                         "use --serial none, file=FILE, socket=FILE or pty");
    if (!draft.serial_given)
        config.serial.kind = SerialConfig::Kind::none;
}

/// The metadata service stands behind the first card.
void place_metadata(RunCommand& run) {
    VmConfig& config = run.config;
    if (run.metadata_path.empty()) {
        if (config.mmds)
            throw UsageError("--metadata-version: there is no metadata", "add --metadata FILE");
        return;
    }
    if (config.nets.empty())
        throw UsageError("--metadata: the guest has no network to ask by", "add --net user");
    if (!config.mmds)
        config.mmds.emplace();
    config.mmds->interfaces = {net_name(config, 0)};
}

} // namespace

Command finish_run(CommandDraft& draft) {
    VmConfig& config = draft.run.config;
    check_boot_source(draft);
    place_metadata(draft.run);
    if (draft.run.display_on_terminal)
        check_display(draft);
    if (config.virtio_console) {
        if (draft.serial_given && config.serial.kind == SerialConfig::Kind::stdio)
            throw UsageError("--serial stdio: the terminal is taken by --virtio-console",
                             "use --serial none, file=FILE, socket=FILE or pty");
        if (!draft.serial_given)
            config.serial.kind = SerialConfig::Kind::none;
    }
    check_disk_ids(config);
    choose_root_disk(config);
    if (config.balloon && config.balloon->amount_mib > config.memory_bytes / MiB)
        throw UsageError(cat("--balloon ", config.balloon->amount_mib, "M: the guest has ",
                             format_byte_size(config.memory_bytes)),
                         "give the guest more (--memory), or choose a smaller balloon");
    return draft.run;
}

} // namespace coldstart
