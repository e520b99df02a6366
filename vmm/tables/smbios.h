// SMBIOS tables as firmware takes them through fw_cfg: the structures, and the entry point that
// firmware copies, pointing it at where it put them.
//
// Source: DMTF DSP0134, System Management BIOS 2.8, sections 5.2.1 (32-bit entry point) and 7;
// QEMU hw/smbios/smbios.c for which structures guests expect of a virtual machine.
// SeaBIOS and OVMF fill in the structures' address and the checksums, and put their own BIOS
// information (type 0) in front, which therefore is not here. They compare the entry point's
// table length with the size of the file.
//
// Missing: baseboard (2), caches (7), slots (9), the 64-bit entry point; the tables end at 64 KiB.
// Threads: any; plain functions.
#pragma once

#include "vmm/base/bytes.h"
#include "vmm/base/memory_map.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace coldstart {

/// In the order in which it is written as text (RFC 9562), big-endian.
using Uuid = std::array<std::byte, 16>;

/// The same id gives the same UUID on every host, forever: a version 8 UUID.
Uuid uuid_of_machine(std::string_view id) noexcept;

struct SmbiosFacts {
    Uuid uuid = {};
    std::string serial; ///< may be empty
    std::uint32_t sockets = 1;
    std::uint32_t cores_per_socket = 1;
    std::uint32_t threads_per_core = 1;
    std::uint32_t cpuid_1_eax = 0; ///< the guest's CPUID leaf 1: family, model, stepping
    std::uint32_t cpuid_1_edx = 0; ///< and features
    std::uint16_t cpu_mhz = 2000;  ///< picky guests want a number; none knows the real one
    std::uint64_t memory_bytes = 0;
    MemoryMap map; ///< its RAM becomes the mapped addresses (type 19)
};

struct SmbiosTables {
    std::vector<std::byte> anchor; ///< "etc/smbios/smbios-anchor": the entry point
    std::vector<std::byte> tables; ///< "etc/smbios/smbios-tables"
};

/// Throws Error when the tables exceed what the 32-bit entry point can describe.
SmbiosTables build_smbios(const SmbiosFacts& facts);

} // namespace coldstart
