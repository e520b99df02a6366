// Registers, structures in memory and FISes of an AHCI host bus adapter.
// Sources: Serial ATA AHCI 1.3.1, sections 3 (registers) and 4 (structures); Serial ATA 3.0,
// section 10.3 (FISes); PCI header and capabilities as Intel's ICH9 data sheet, chapter 15.
#pragma once

#include <cstdint>

namespace coldstart::ahci {

inline constexpr unsigned port_count = 6;
inline constexpr unsigned slot_count = 32;

// PCI function, ICH9 15.1.
inline constexpr std::uint16_t vendor_id = 0x8086;
inline constexpr std::uint16_t device_id = 0x2922;
inline constexpr std::uint8_t revision = 0x02;
inline constexpr std::uint32_t class_code = 0x010601;
inline constexpr unsigned index_bar = 4;
inline constexpr unsigned register_bar = 5;
inline constexpr std::uint64_t index_bar_bytes = 32;
inline constexpr std::uint64_t register_bar_bytes = 4096;
inline constexpr std::uint32_t index_mask = register_bar_bytes - 4; ///< what the index holds
inline constexpr unsigned index_offset = 0x10;                      // in the index BAR: RW
inline constexpr unsigned data_offset = 0x14; // in the index BAR: what the index names

// Message signalled interrupts, PCI 3.0 6.8.1; one message, 64-bit address.
inline constexpr std::uint8_t msi_id = 0x05;
inline constexpr unsigned msi_at = 0x80;
inline constexpr unsigned msi_bytes = 14;
inline constexpr unsigned msi_control = 2;
inline constexpr unsigned msi_address = 4;
inline constexpr unsigned msi_address_high = 8;
inline constexpr unsigned msi_data = 12;
inline constexpr std::uint16_t msi_enable = 1u << 0;
inline constexpr std::uint16_t msi_64_bit = 1u << 7;

// SATA capability, AHCI 2.4: where the index/data pair stands (BAR 4, doubleword 4).
inline constexpr std::uint8_t sata_id = 0x12;
inline constexpr unsigned sata_at = 0xa8;
inline constexpr unsigned sata_bytes = 8;
inline constexpr std::uint16_t sata_revision = 0x0010;
inline constexpr std::uint32_t sata_location = 0x8 | (index_offset / 4) << 4;

// Generic host control, AHCI 3.1.
inline constexpr unsigned reg_cap = 0x00;  // RO
inline constexpr unsigned reg_ghc = 0x04;  // HR: RW1S, IE: RW, AE: RO
inline constexpr unsigned reg_is = 0x08;   // RW1C
inline constexpr unsigned reg_pi = 0x0c;   // RO
inline constexpr unsigned reg_vs = 0x10;   // RO
inline constexpr unsigned reg_cap2 = 0x24; // RO
inline constexpr unsigned reg_bohc = 0x28; // RW; OOC: RW1C
inline constexpr unsigned first_port = 0x100;
inline constexpr unsigned port_bytes = 0x80;

inline constexpr std::uint32_t cap_value = (port_count - 1) |      // NP
                                           (slot_count - 1) << 8 | // NCS
                                           1u << 15 |              // PMD: PIO of several blocks
                                           1u << 18 |              // SAM: AHCI only
                                           3u << 20 |              // ISS: up to 6 Gb/s
                                           1u << 24 |              // SCLO: command list override
                                           1u << 30 |              // SNCQ
                                           1u << 31;               // S64A
inline constexpr std::uint32_t ports_value = (1u << port_count) - 1;
inline constexpr std::uint32_t version_value = 0x00010301;
inline constexpr std::uint32_t cap2_value = 1u << 0; // BOH

inline constexpr std::uint32_t ghc_reset = 1u << 0;
inline constexpr std::uint32_t ghc_interrupts = 1u << 1;
inline constexpr std::uint32_t ghc_ahci = 1u << 31;

inline constexpr std::uint32_t bohc_os_owned = 1u << 1;
inline constexpr std::uint32_t bohc_os_changed = 1u << 3; // RW1C
inline constexpr std::uint32_t bohc_writable = 1u << 0 | bohc_os_owned | 1u << 2 | 1u << 4;

// Port registers, AHCI 3.3, by offset from the port's first.
inline constexpr unsigned port_clb = 0x00;  // RW, 1 KiB aligned
inline constexpr unsigned port_clbu = 0x04; // RW
inline constexpr unsigned port_fb = 0x08;   // RW, 256 bytes aligned
inline constexpr unsigned port_fbu = 0x0c;  // RW
inline constexpr unsigned port_is = 0x10;   // RW1C; PCS and PRCS: RO, follow SERR
inline constexpr unsigned port_ie = 0x14;   // RW
inline constexpr unsigned port_cmd = 0x18;  // mixed, below
inline constexpr unsigned port_tfd = 0x20;  // RO
inline constexpr unsigned port_sig = 0x24;  // RO
inline constexpr unsigned port_ssts = 0x28; // RO
inline constexpr unsigned port_sctl = 0x2c; // RW
inline constexpr unsigned port_serr = 0x30; // RW1C
inline constexpr unsigned port_sact = 0x34; // RW1S
inline constexpr unsigned port_ci = 0x38;   // RW1S

inline constexpr std::uint32_t is_register_fis = 1u << 0; // DHRS
inline constexpr std::uint32_t is_pio_setup = 1u << 1;    // PSS
inline constexpr std::uint32_t is_device_bits = 1u << 3;  // SDBS
inline constexpr std::uint32_t is_prd_done = 1u << 5;     // DPS
inline constexpr std::uint32_t is_connect = 1u << 6;      // PCS: SERR.DIAG.X
inline constexpr std::uint32_t is_phy_ready = 1u << 22;   // PRCS: SERR.DIAG.N
inline constexpr std::uint32_t is_overflow = 1u << 24;    // OFS
inline constexpr std::uint32_t is_interface = 1u << 27;   // IFS, fatal
inline constexpr std::uint32_t is_host_bus = 1u << 29;    // HBFS, fatal
inline constexpr std::uint32_t is_task_file = 1u << 30;   // TFES
inline constexpr std::uint32_t is_known = 0xfdc000ff;
inline constexpr std::uint32_t is_derived = is_connect | is_phy_ready;

inline constexpr std::uint32_t cmd_start = 1u << 0;      // ST: RW
inline constexpr std::uint32_t cmd_spin_up = 1u << 1;    // SUD: RO, no staggered spin-up
inline constexpr std::uint32_t cmd_power_on = 1u << 2;   // POD: RO
inline constexpr std::uint32_t cmd_override = 1u << 3;   // CLO: RW1S, done at once
inline constexpr std::uint32_t cmd_receive = 1u << 4;    // FRE: RW
inline constexpr unsigned cmd_slot_shift = 8;            // CCS: RO
inline constexpr std::uint32_t cmd_receiving = 1u << 14; // FR: RO
inline constexpr std::uint32_t cmd_running = 1u << 15;   // CR: RO
inline constexpr std::uint32_t cmd_atapi = 1u << 24;     // ATAPI: RW
inline constexpr std::uint32_t cmd_led = 1u << 25;       // DLAE: RW
inline constexpr std::uint32_t cmd_writable = cmd_start | cmd_receive | cmd_atapi | cmd_led;

inline constexpr std::uint32_t sctl_writable = 0xfff;
inline constexpr std::uint32_t det_mask = 0xf;
inline constexpr std::uint32_t det_reset = 1;
inline constexpr std::uint32_t det_offline = 4;
inline constexpr std::uint32_t ssts_up = 0x103; // active, device there; the speed stands in 7:4
inline constexpr std::uint32_t fastest_speed = 3;
inline constexpr std::uint32_t serr_exchanged = 1u << 26; // DIAG.X
inline constexpr std::uint32_t serr_phy_ready = 1u << 16; // DIAG.N
inline constexpr std::uint32_t serr_known = 0x07ff0f03;

// The command list and table, AHCI 4.2.2 and 4.2.3.
struct CommandHeader {
    std::uint32_t flags = 0; ///< CFL 4:0, A 5, W 6, P 7, R 8, B 9, C 10, PMP 15:12, PRDTL 31:16
    std::uint32_t transferred_bytes = 0; ///< PRDBC
    std::uint64_t table = 0;             ///< 128 bytes aligned
    std::uint32_t reserved[4] = {};
};
static_assert(sizeof(CommandHeader) == 32);
inline constexpr std::uint64_t header_transferred = 4; // offset of PRDBC
inline constexpr std::uint32_t header_length = 0x1f;   // CFL, in doublewords
inline constexpr std::uint32_t header_atapi = 1u << 5;
inline constexpr unsigned header_prds_shift = 16;
inline constexpr std::uint64_t table_packet = 0x40;
inline constexpr std::uint64_t table_prds = 0x80;

struct Prd {
    std::uint64_t address = 0; ///< even
    std::uint32_t reserved = 0;
    std::uint32_t count = 0; ///< 21:0 bytes minus one, 31: interrupt when done
};
static_assert(sizeof(Prd) == 16);
inline constexpr std::uint32_t prd_count = 0x3fffff;
inline constexpr std::uint32_t prd_interrupt = 1u << 31;

// FISes, and where they land in the received-FIS area, AHCI 4.2.1.
inline constexpr std::uint8_t fis_host_to_device = 0x27;
inline constexpr std::uint8_t fis_device_to_host = 0x34;
inline constexpr std::uint8_t fis_dma_setup = 0x41;
inline constexpr std::uint8_t fis_pio_setup = 0x5f;
inline constexpr std::uint8_t fis_device_bits = 0xa1;
inline constexpr std::uint64_t received_dma_setup = 0x00;
inline constexpr std::uint64_t received_pio_setup = 0x20;
inline constexpr std::uint64_t received_register = 0x40;
inline constexpr std::uint64_t received_device_bits = 0x58;
inline constexpr std::uint8_t fis_command = 0x80;   // C, host to device
inline constexpr std::uint8_t fis_interrupt = 0x40; // I, device to host
inline constexpr std::uint8_t fis_to_host = 0x20;   // D of a setup FIS
inline constexpr std::uint8_t control_reset = 0x04; // SRST of the control byte

inline constexpr std::uint32_t signature_none = 0xffffffff;
inline constexpr std::uint32_t task_file_none = 0x7f;

} // namespace coldstart::ahci
