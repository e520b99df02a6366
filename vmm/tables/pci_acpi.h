// What the ACPI tables have to know of a Q35-like chipset, as plain data: which windows the host
// bridge passes on, where its registers stand. Firmware programs most of it, so it is read back
// from the chipset when firmware asks for the tables.
// Sources: ICH9 datasheet (LPC bridge, D31:F0), PCI Firmware Specification 3.0, section 4.1 (MCFG).
// Missing: more than one host bridge, segments other than 0, root ports.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace coldstart {

struct AcpiAddressRange {
    std::uint64_t base = 0;
    std::uint64_t size_bytes = 0;
};

/// The memory-mapped configuration space, a megabyte a bus from bus 0 on.
struct EcamFacts {
    static constexpr std::uint64_t bus_bytes = 1 << 20;

    std::uint64_t base = 0xb0000000;
    /// What the chipset decodes: nothing else may stand there.
    std::uint64_t size_bytes = 256 * bus_bytes;
};

struct HpetFacts {
    std::uint32_t base = 0xfed00000;
    /// The low half of its capabilities register: Intel's, revision 1, three timers, 64 bits wide,
    /// legacy replacement.
    std::uint32_t block_id = 0x8086a201;
    std::uint16_t minimum_ticks = 0; ///< of a periodic timer without lost interrupts
};

/// General-purpose event registers: half of them status, half enable.
struct GpeBlockFacts {
    std::uint16_t base = 0x620;
    std::uint8_t size_bytes = 16;
};

/// The chipset's reset control register: both bits of a hard reset at once.
struct ResetFacts {
    std::uint16_t port = 0xcf9;
    std::uint8_t value = 0x0f;
};

/// The port that switches between legacy and ACPI mode, and the values that do it.
struct SmiCommandFacts {
    std::uint16_t port = 0xb2;
    std::uint8_t acpi_enable = 2;
    std::uint8_t acpi_disable = 3;
};

struct PciAcpiFacts {
    std::optional<EcamFacts> ecam = {}; ///< nothing while it is disabled
    /// The highest bus there is. Systems look for devices on each bus that the tables name: Linux
    /// makes 32 reads for each of them, 8,192 exits if it is all that ECAM has room for.
    std::uint8_t last_bus = 0;
    std::vector<AcpiAddressRange> windows = {};    ///< for BARs below 4 GiB
    std::optional<AcpiAddressRange> window64 = {}; ///< for BARs above
    std::optional<HpetFacts> hpet = {};
    /// PMBASE of the LPC bridge: fixed hardware that the board has not placed stands at ICH9's
    /// offsets from it. The 128 ports there, TCO's among them, are not for anyone else. While the
    /// guest has not enabled it: what its firmware will program, 0x600.
    std::optional<std::uint16_t> pm_base = {};
    std::optional<GpeBlockFacts> gpe0 = {};
    std::optional<ResetFacts> reset = {};
    std::optional<SmiCommandFacts> smi_command = {}; ///< nothing: always in ACPI mode
};

} // namespace coldstart
