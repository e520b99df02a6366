// Registers of the Q35 memory controller hub (MCH). Source: Intel 3 Series Express Chipset data
// sheet, sections 5.1 (device 0) and 4.3 (configuration mechanism); RST_CNT: ICH9 data sheet
// 13.7.5 (core/acpi/reset_control.h); identity and subsystem are those of QEMU's machine "q35".
#pragma once

#include <cstddef>
#include <cstdint>

namespace coldstart::q35 {

inline constexpr unsigned region_ports = 0;  // 8 ports at 0xcf8
inline constexpr unsigned region_ecam = 1;   // 256 MiB, where PCIEXBAR says
inline constexpr unsigned region_shadow = 2; // 256 KiB at 0xc0000

inline constexpr std::uint16_t vendor_id = 0x8086;
inline constexpr std::uint16_t device_id = 0x29c0;
inline constexpr std::uint32_t class_host_bridge = 0x060000;
inline constexpr std::uint16_t subsystem_vendor_id = 0x1af4;
inline constexpr std::uint16_t subsystem_id = 0x1100;

// Ports, by offset in their region
inline constexpr std::uint64_t port_address = 0; // RW, 32 bits at once or not at all
inline constexpr std::uint64_t port_reset = 1;   // RW, 8 bits: RST_CNT
inline constexpr std::uint64_t port_data = 4;    // RW, 1, 2 or 4 bytes inside the doubleword

// CONFIG_ADDRESS
inline constexpr std::uint32_t address_enable = 1u << 31;
inline constexpr std::uint32_t address_kept = 0x80fffffc;

// Configuration space                                   access
inline constexpr unsigned cfg_ext_tseg_mbytes = 0x50; // RO, 16 bits, QEMU's: 0 without TSEG
inline constexpr unsigned cfg_ggc = 0x52;             // RO: no graphics inside
inline constexpr unsigned cfg_deven = 0x54;           // RO: this function alone
inline constexpr unsigned cfg_pciexbar = 0x60;        // RW, 64 bits
inline constexpr unsigned cfg_pam0 = 0x90;            // RW, seven bytes
inline constexpr unsigned cfg_smbase_control = 0x9c;  // RO 0: QEMU's extension is not there
inline constexpr unsigned cfg_smram = 0x9d;           // RW, see q35_mch.h
inline constexpr unsigned cfg_esmramc = 0x9e;         // RW
inline constexpr unsigned cfg_tom = 0xa0;             // RW, 16 bits: kept, without effect
inline constexpr unsigned cfg_touud = 0xa2;           // RW, 16 bits: kept, without effect
inline constexpr unsigned cfg_gbsm = 0xa4;            // RW, 32 bits: kept, without effect
inline constexpr unsigned cfg_bgsm = 0xa8;            // RW, 32 bits: kept, without effect
inline constexpr unsigned cfg_tsegmb = 0xac;          // RW, 32 bits: kept, see smram.h
inline constexpr unsigned cfg_tolud = 0xb0;           // RW, 16 bits: kept, without effect

inline constexpr std::uint16_t ggc_no_graphics = 0x0002; // IVD
inline constexpr std::uint32_t deven_host_bridge = 1;

inline constexpr std::uint32_t pciexbar_enable = 1;
inline constexpr unsigned pciexbar_length_shift = 1; // 0: 256 MiB, 1: 128, 2: 64, 3: reserved
inline constexpr std::uint32_t pciexbar_low_writable = 0xfc000007;
inline constexpr std::uint32_t pciexbar_high_writable = 0xf; // addresses have 36 bits
inline constexpr std::uint32_t pciexbar_power_on = 0xb0000000;
inline constexpr std::uint64_t ecam_max_bytes = 256u << 20;

// PAM0 has the BIOS area in its high nibble; PAM1..6 have two segments of 16 KiB from 0xc0000 on,
// the lower in the low nibble. Of each nibble:
inline constexpr std::size_t pam_count = 7;
inline constexpr unsigned pam_reads_ram = 1;  // else ROM
inline constexpr unsigned pam_writes_ram = 2; // else nobody

// SMRAM
inline constexpr unsigned smram_open = 0x40;
inline constexpr unsigned smram_closed = 0x20;
inline constexpr unsigned smram_locked = 0x10;
inline constexpr unsigned smram_enable = 0x08;
inline constexpr unsigned smram_power_on = 0x02; // C_BASE_SEG: 0xa0000, RO
inline constexpr unsigned smram_writable = smram_open | smram_closed | smram_locked | smram_enable;

// ESMRAMC
inline constexpr unsigned esmramc_writable = 0x87; // H_SMRAME, TSEG_SZ, T_EN
inline constexpr unsigned esmramc_power_on = 0x38; // the cache bits, RO
inline constexpr unsigned esmramc_tseg_enable = 0x01;
inline constexpr unsigned esmramc_tseg_size_shift = 1; // 0: 1 MiB, 1: 2, 2: 8, 3: as 0x50 says
inline constexpr unsigned ext_tseg_mbytes = 16;

inline constexpr std::uint32_t stolen_base_writable = 0xfff00000; // GBSM, BGSM, TSEGMB: 1 MiB steps

} // namespace coldstart::q35
