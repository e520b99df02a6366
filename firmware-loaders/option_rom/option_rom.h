// The option ROM that boots a kernel offered through fw_cfg (linux_rom.asm): a boot entry of
// firmware that runs option ROMs, "coldstart: kernel from fw_cfg". UEFI firmware needs none.
//
// Source: Plug and Play BIOS Specification 1.0A, section 3: size in 512 byte blocks at byte 2, the
// sum of all bytes and that of the "$PnP" header are zero.
// Threads: any.
#pragma once

#include "vmm/base/bytes.h"

#include <cstddef>
#include <string_view>
#include <vector>

namespace coldstart {

/// The fw_cfg file as which SeaBIOS finds and runs it.
inline constexpr std::string_view linux_boot_rom_file = "genroms/coldstart-linux.rom";

/// Ready to be given to firmware.
std::vector<std::byte> linux_boot_rom();

/// Pads an image to whole blocks, and sets its size and both checksums. The image begins with
/// 55 AA and names its "$PnP" header at 0x1a; throws Error when it does not or is too large.
std::vector<std::byte> seal_option_rom(ByteView image);

} // namespace coldstart
