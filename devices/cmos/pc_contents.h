// What a PC's CMOS RAM says of the machine: the bytes SeaBIOS, OVMF and old kernels read.
// Source: IBM PC/AT Technical Reference, "Real-time clock/CMOS RAM information"; SeaBIOS and OVMF
// for the bytes they share with QEMU (0x34, 0x38, 0x3d, 0x5b to 0x5f).
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace coldstart::cmos {

/// Kinds of boot devices as SeaBIOS counts them; only without a boot order from fw_cfg.
enum class BootDevice : std::uint8_t { none = 0, floppy = 1, disk = 2, cdrom = 3, network = 4 };

struct PcFacts {
    std::uint64_t memory_below_4g_bytes = 0; ///< from zero, the hole at 640 KiB counted in
    std::uint64_t memory_above_4g_bytes = 0;
    std::uint32_t cpus = 1;
    BootDevice boot_order[3] = {BootDevice::disk, BootDevice::cdrom, BootDevice::network};
};

/// (register, value) pairs for CmosOptions::nvram.
std::vector<std::pair<std::uint8_t, std::uint8_t>> pc_contents(const PcFacts& facts);

} // namespace coldstart::cmos
