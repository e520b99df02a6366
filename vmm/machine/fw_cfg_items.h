// Everything SeaBIOS and OVMF ask fw_cfg for, made of plain facts about the machine.
//
// Sources: QEMU hw/i386/fw_cfg.c, hw/i386/pc.c and hw/acpi/core.c for numbers and formats; SeaBIOS
// src/fw/paravirt.c and src/boot.c, edk2 OvmfPkg (PlatformInitLib, QemuBootOrderLib,
// QemuFwCfgS3Lib) for what is read and how.
// Missing: NUMA nodes (the item reads as zeros: none), ACPI and SMBIOS in their old numbered forms.
// Threads: the control thread, before the machine is made.
#pragma once

#include "devices/fw_cfg/fw_cfg_items.h"
#include "vmm/base/gpa.h"
#include "vmm/base/memory_map.h"
#include "vmm/tables/smbios.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coldstart {

/// A file that is made when firmware reads it; its size stays.
struct GeneratedFile {
    std::string name; ///< "etc/acpi/tables"
    std::uint32_t size_bytes = 0;
    FwCfgGenerator generate;
};

struct FirmwareFacts {
    std::uint32_t cpus = 1;
    std::uint32_t apic_id_limit = 1; ///< the largest APIC id there may be, plus one
    std::uint64_t memory_bytes = 0;
    /// RAM, and what firmware must keep off. SeaBIOS and OVMF cut out 640 KiB to 1 MiB by
    /// themselves; they take the end of the highest RAM below 4 GiB for the end of low RAM.
    MemoryMap map;
    std::optional<Gpa> hpet;  ///< where one is
    bool pit_on_pin_2 = true; ///< of the IOAPIC, where KVM and ACPI tables have it

    bool serial_console = true; ///< SeaBIOS shows its screen on COM1, too
    /// Firmware asks for a boot menu key that long; nothing: not at all.
    std::optional<std::uint16_t> boot_menu_ms;
    std::vector<std::string> boot_order; ///< paths of fw_cfg_items_boot_order.h, the first first
    bool boot_others = true; ///< devices that are not in the order, after those that are
    /// After nothing could be booted SeaBIOS waits that long and resets; nothing: for ever.
    std::optional<std::uint32_t> boot_fail_wait_ms;

    /// Where 64-bit PCI windows may begin, when it is not the end of RAM.
    std::optional<Gpa> reserved_memory_end;
    /// IA32_FEATURE_CONTROL for firmware to set on every CPU: only for guests that have VMX.
    std::optional<std::uint64_t> feature_control;

    SmbiosFacts smbios;              ///< its UUID is the machine's
    std::vector<GeneratedFile> acpi; ///< "etc/acpi/tables", "etc/acpi/rsdp", "etc/table-loader"
};

/// Throws Error when something is given already, or a boot path is no line.
void add_firmware_items(FwCfgItems& items, const FirmwareFacts& facts);

} // namespace coldstart
