// The ACPI tables of a machine: RSDP, XSDT, FADT, FACS, MADT and DSDT; with a PCI host bridge
// RSDT, MCFG, HPET and WAET, too. Everything in them derives from the placed devices, the CPUs, the
// interrupt controllers and what pci_acpi.h says of the chipset.
//
// They come in two forms: build_acpi() makes one image ready to be copied into guest memory, where
// nothing is patched later; build_acpi_blobs() makes the files from which firmware builds them.
//
// Source: ACPI 6.4, section 5.2 (tables) and 6 (devices). Unless the chipset has an SMI command
// port the system starts in ACPI mode: there is no SMI to hand over ownership. Without a device
// that has fixed hardware the machine is hardware-reduced (section 4.1), without FACS.
// Missing: SRAT, hot-plug, sleep states but S5.
#pragma once

#include "devices/core/device.h"
#include "vmm/base/gpa.h"
#include "vmm/tables/pci_acpi.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
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
    std::optional<PciAcpiFacts> pci = {}; ///< a machine with a PCI host bridge: board pc
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

// The names fw_cfg has the files under.
inline constexpr std::string_view acpi_tables_file = "etc/acpi/tables";
inline constexpr std::string_view acpi_rsdp_file = "etc/acpi/rsdp";
inline constexpr std::string_view acpi_loader_file = "etc/table-loader";

/// Files for firmware: the tables, the RSDP, and the script (table_loader.h) by which firmware
/// loads both where it likes, sets their pointers and computes their checksums. Tables and script
/// are padded with zeros, so that their sizes stay as they are when firmware has moved the PCI
/// windows and they are built anew.
struct AcpiBlobs {
    std::vector<std::byte> tables;
    std::vector<std::byte> rsdp;
    std::vector<std::byte> loader;
    std::vector<AcpiTablePlace> places; ///< in `tables`
};

/// Ignores `base` and `room_bytes`. Throws Error when devices contradict one another.
AcpiBlobs build_acpi_blobs(const AcpiInputs& inputs);

} // namespace coldstart
