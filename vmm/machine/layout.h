// Where everything stands in a guest's physical address space, as a pure function of the board
// and the memory size. It is guest ABI: a restored machine must find the same layout.
//
//     0               low RAM up to 0x9FC00; behind it 1 KiB of EBDA, reserved
//     0xA0000         not in the map: a display's window and option ROMs on a PC
//     0xE0000         RSDP and ACPI tables, reserved, backed by memory
//     0x100000        RAM, up to 3 GiB
//     0xC0000000      the hole: everything that is not RAM and wants a 32-bit address
//       0xD0000000      virtio-mmio slots, 4 KiB each
//       0xFEC00000      IOAPIC
//       0xFEE00000      local APICs
//       0xFEFFC000      KVM's identity map page and three TSS pages, reserved
//     0x100000000     the rest of the RAM
//
// Board pc differs where firmware and PCI want room, as on a Q35:
//
//     0xA0000         the display's window
//     0xC0000         expansion ROMs, shadow RAM and firmware, as the PAM registers say
//     0x100000        RAM, up to 2.75 GiB (2 GiB when there is more than that in all)
//     0xB0000000      free for PCIEXBAR and BARs: SeaBIOS puts ECAM there, OVMF at 0xE0000000
//     0xFEC00000      IOAPIC, HPET at 0xFED00000, local APICs, KVM's pages, as above
//     below 4 GiB     firmware: variable store, then code, ending at 4 GiB
//
// RAM ends at 3 GiB at the latest, not just below the first device: the gigabyte leaves room for
// PCI BARs and ECAM of larger boards without moving RAM, is what PCs and other monitors do, and
// lets both parts of RAM be mapped with 1 GiB pages.
//
// Sources: ACPI 6.4 section 15 (address map), Intel SDM vol. 3 section 11.4.1 (APIC base), KVM's
// API document (KVM_SET_TSS_ADDR, KVM_SET_IDENTITY_MAP_ADDR).
// RAM of board pc below 4 GiB: QEMU's Q35 machine, which is what firmware images are built for.
#pragma once

#include "vmm/base/byte_size.h"
#include "vmm/base/gpa.h"
#include "vmm/base/memory_map.h"

#include <cstdint>
#include <vector>

namespace coldstart {

namespace layout {
inline constexpr std::uint16_t readiness_port = 0x700; ///< where no chipset, ISA card or BIOS is

inline constexpr Gpa ebda{0x9fc00};
inline constexpr Gpa legacy_hole{0xa0000};
inline constexpr Gpa option_roms{0xc0000}; ///< and shadow RAM behind them, up to 1 MiB
inline constexpr Gpa acpi_tables{0xe0000}; ///< found by scanning from here, too
inline constexpr Gpa high_ram{1 * MiB};
inline constexpr Gpa hole{3 * GiB};
inline constexpr Gpa hole_end{4 * GiB};

inline constexpr Gpa virtio_mmio{0xd0000000};
inline constexpr std::uint64_t virtio_mmio_slot_bytes = 0x1000;

inline constexpr Gpa io_apic{0xfec00000};
inline constexpr Gpa hpet{0xfed00000};
inline constexpr Gpa local_apic{0xfee00000};
inline constexpr Gpa pci_hole{0xb0000000};       ///< board pc: RAM ends here at the latest
inline constexpr Gpa pci_hole_large{0x80000000}; ///< and here when some lies above 4 GiB

/// Pages KVM takes for itself on Intel hosts without unrestricted guest mode.
inline constexpr Gpa kvm_identity_map{0xfeffc000};
inline constexpr Gpa kvm_tss{0xfeffd000};
inline constexpr std::uint64_t kvm_pages_bytes = 4 * page_size_bytes;
} // namespace layout

struct Range {
    Gpa base;
    std::uint64_t size_bytes = 0;

    Gpa end() const noexcept { return base + size_bytes; }
    bool operator==(const Range&) const noexcept = default;
};

struct AddressLayout {
    /// What the guest sees of `ram` without an exit from the start on; the rest is the chipset's
    /// to show.
    std::vector<Range> shown;
    /// What host memory backs, sorted: one range, or two from 3 GiB on. The first begins at 0 and
    /// has no gap at 640 KiB; the map, not the backing, keeps a guest out of there.
    std::vector<Range> ram;
    MemoryMap e820;
    Gpa rsdp;          ///< first thing of the ACPI tables
    Range acpi_tables; ///< their room
};

/// The layout of board micro. `memory_bytes` is a multiple of 4 KiB from min_memory_bytes to
/// max_memory_bytes; throws UsageError otherwise.
AddressLayout micro_layout(std::uint64_t memory_bytes);

/// The layout of board pc: e820 is what firmware is told of RAM; it finds the tables by fw_cfg, so
/// `rsdp` and `acpi_tables` are empty. With system management mode the end of low RAM is the
/// chipset's to show, as TSEG may be there. Throws UsageError as micro_layout() does.
AddressLayout pc_layout(std::uint64_t memory_bytes, bool has_smm = false);

} // namespace coldstart
