// A Linux kernel for firmware to boot, as items of fw_cfg: setup and payload apart, initrd and
// command line, and where an option ROM puts each. OVMF joins setup and payload again and starts
// the kernel's EFI stub; SeaBIOS runs the option ROM that comes along.
//
// Sources: Linux Documentation/arch/x86/boot.rst (header fields that a boot loader writes); QEMU
// hw/i386/x86.c, x86_load_linux() (which item holds what).
// Missing: kernels that are no bzImage, "vga=" on the command line, setup_data.
// Threads: the control thread; files are read on vCPU threads, when firmware asks for them.
#pragma once

#include "devices/fw_cfg/fw_cfg_items.h"
#include "firmware-loaders/source/image_bytes.h"
#include "vmm/base/gpa.h"

#include <memory>
#include <optional>
#include <string>

namespace coldstart {

struct KernelForFirmware {
    const ImageBytes& kernel;
    const std::optional<ImageBytes>& initrd;
    std::string command_line; ///< without the terminating zero
    Gpa low_ram_end;          ///< of the RAM that begins at 1 MiB
};

/// Adds the option ROM, too; boot_path_rom(linux_boot_rom_file) is its place in a boot order.
/// Throws Error for a kernel that is no bzImage or is damaged, for a command line that it can't
/// take, and when kernel and initrd do not fit below low_ram_end.
void add_kernel_items(FwCfgItems& items, const KernelForFirmware& request);

/// Read from the image when asked for, without a copy of it all.
std::shared_ptr<const FwCfgContent> fw_cfg_image(ImageBytes image);

} // namespace coldstart
