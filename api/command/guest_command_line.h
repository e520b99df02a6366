// The kernel command line a machine boots with, whichever way it was asked for.
#pragma once

#include "api/command/vm_config.h"

#include <string>
#include <string_view>

namespace coldstart {

/// `config.command_line`, or the default of the board; then, unless the text has such a word:
///  "root=/dev/vda rw" (or "ro")  when a disk is the root: it is the first on its bus; /dev/sda on
///                                SATA, PARTUUID=... where the configuration names a partition
///  "reboot=panic_warm"           so that a reset after a kernel panic can be told from a reboot
///  "pci=off"                     on board micro, which has no PCI: saves the kernel's looking for it
std::string guest_command_line(const VmConfig& config);

/// Whether, under that command line, Linux leaves the IOAPIC alone and takes interrupts from the
/// 8259s ("noapic" and what implies it).
bool does_without_ioapic(const VmConfig& config);

/// Makes the first virtio disk the root, or the first SATA disk where there is no other; none when
/// an initrd is there to find the root by itself.
void choose_root_disk(VmConfig& config);

/// Whether, under this command line, Linux resets warm after a panic and cold otherwise. It says
/// which by the word at 0x472, 0x1234 for warm (IBM PC's reset flag; arch/x86/kernel/reboot.c).
bool panics_reset_warm(std::string_view command_line);

} // namespace coldstart
