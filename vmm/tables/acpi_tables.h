// The ACPI tables of a machine: RSDP, XSDT, FADT, FACS, MADT and DSDT, as one image ready to be
// copied into guest memory. Everything in them derives from the placed devices, the CPUs and the
// interrupt controllers; nothing is patched later.
//
// Source: ACPI 6.4, section 5.2 (tables) and 6 (devices). The system starts in ACPI mode: SMI_CMD
// is 0, there is no SMI to hand over ownership. Without a device that has fixed hardware the
// machine is hardware-reduced (section 4.1), without FACS.
// Missing: RSDT (the revision 2 RSDP needs none), SRAT, HPET, MCFG, hot-plug, sleep states but S5.
#pragma once

#include "devices/core/device.h"
#include "vmm/base/gpa.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace coldstart {

struct IoApicFacts {
    std::uint8_t id = 0;
    std::uint32_t address = 0xfec00000;
    std::uint32_t gsi_base = 0;
};

struct AcpiInputs {
    std::span<const PlacedDevice> devices = {};
    std::span<const std::uint32_t> apic_ids = {}; ///< one a CPU, in order of _UID (0, 1, ...)
    Gpa base = {};                ///< of the RSDP, 64-byte aligned; the rest follows
    std::uint64_t room_bytes = 0; ///< what the layout keeps for the tables there
    std::uint32_t local_apic_address = 0xfee00000;
    IoApicFacts io_apic = {};
    bool has_pics = true; ///< a pair of 8259s: PCAT_COMPAT
    /// GSI of ISA interrupt 0, the PIT: KVM's and every PC's IOAPIC has it on pin 2. Nothing when
    /// there is no PIT.
    std::optional<std::uint32_t> pit_gsi = 2;
};

/// One table of the image, for logs and tests.
struct AcpiTablePlace {
    std::string signature; ///< "RSD PTR ", "XSDT", "FACP", ...
    std::size_t offset = 0;
    std::size_t size_bytes = 0;
};

struct AcpiTables {
    Gpa rsdp;                     ///< also where `bytes` go
    std::vector<std::byte> bytes; ///< from the RSDP to the end of the last table
    std::vector<AcpiTablePlace> places;
};

/// Throws Error when the image does not fit, or devices contradict one another.
AcpiTables build_acpi(const AcpiInputs& inputs);

} // namespace coldstart
