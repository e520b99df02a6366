// Registers of the ICH9's LPC interface bridge (00:1f.0) and SMBus host controller (00:1f.3).
// Source: Intel I/O Controller Hub 9 (ICH9) Family data sheet, chapters 10 (chipset configuration),
// 13 (LPC) and 19 (SMBus). Subsystem ids and the ACPI values of APM_CNT are QEMU's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace coldstart::ich9 {

inline constexpr std::uint16_t vendor_id = 0x8086;
inline constexpr std::uint16_t lpc_device_id = 0x2918;
inline constexpr std::uint16_t smbus_device_id = 0x2930;
inline constexpr std::uint8_t revision = 2;
inline constexpr std::uint32_t class_isa_bridge = 0x060100;
inline constexpr std::uint32_t class_smbus = 0x0c0500;
inline constexpr std::uint16_t subsystem_vendor_id = 0x1af4;
inline constexpr std::uint16_t subsystem_id = 0x1100;

// Regions of Ich9Lpc
inline constexpr unsigned region_pm = 0;     // 128 ports, where PMBASE says
inline constexpr unsigned region_rcba = 1;   // 16 KiB, where RCBA says
inline constexpr unsigned region_apm = 2;    // 2 ports at 0xb2
inline constexpr unsigned region_port92 = 3; // 1 port at 0x92

/// Interrupts of Ich9Lpc's lines, in their order: PIRQA..H, then those ISA interrupts which no
/// edge-triggered device of a PC uses.
inline constexpr std::array<std::uint32_t, 12> line_gsis = {16, 17, 18, 19, 20, 21,
                                                            22, 23, 5,  9,  10, 11};

// LPC configuration space                              access
inline constexpr unsigned cfg_pmbase = 0x40;          // RW 15:7; bit 0 RO 1
inline constexpr unsigned cfg_acpi_cntl = 0x44;       // RW 7, 2:0
inline constexpr unsigned cfg_gpiobase = 0x48;        // RO: there is no GPIO
inline constexpr unsigned cfg_pirq_a_rout = 0x60;     // RW 7, 3:0; four bytes
inline constexpr unsigned cfg_sirq_cntl = 0x64;       // RW, kept without effect
inline constexpr unsigned cfg_pirq_e_rout = 0x68;     // RW 7, 3:0; four bytes
inline constexpr unsigned cfg_lpc_io_decode = 0x80;   // RW, kept without effect
inline constexpr unsigned cfg_lpc_enables = 0x82;     // RW, kept without effect
inline constexpr unsigned cfg_generic_decode1 = 0x84; // RW, kept without effect; four doublewords
inline constexpr unsigned cfg_gen_pmcon_1 = 0xa0;     // RW; SMI_LOCK sticks until reset
inline constexpr unsigned cfg_gen_pmcon_3 = 0xa4;     // RW 0, kept without effect
inline constexpr unsigned cfg_gpi_rout = 0xb8;        // RW, kept without effect
inline constexpr unsigned cfg_fwh_decode = 0xd8;      // RW, kept without effect
inline constexpr unsigned cfg_bios_cntl = 0xdc;       // RW 3:0, kept; BLE sticks until reset
inline constexpr unsigned cfg_rcba = 0xf0;            // RW 31:14, 0

inline constexpr std::uint32_t pmbase_mask = 0xff80;
inline constexpr std::uint32_t pmbase_io = 1;
inline constexpr unsigned acpi_cntl_enable = 0x80;
inline constexpr unsigned acpi_cntl_sci_select = 0x07; // 0..2: IRQ 9..11, 4, 5: 20, 21
inline constexpr unsigned pirq_rout_off = 0x80;
inline constexpr unsigned pirq_rout_irq = 0x0f;
inline constexpr unsigned pmcon_1_writable = 0x1cbf;
inline constexpr unsigned pmcon_1_smi_lock = 0x10;
inline constexpr unsigned bios_cntl_lock_enable = 0x02;
inline constexpr std::uint32_t rcba_mask = 0xffffc000;
inline constexpr std::uint32_t rcba_enable = 1;

// Power management ports, by doubleword
inline constexpr unsigned pm_bytes = 128;
inline constexpr unsigned pm_event = 0x00;     // PM1_STS W1C, PM1_EN RW
inline constexpr unsigned pm_control = 0x04;   // RW
inline constexpr unsigned pm_timer = 0x08;     // RO
inline constexpr unsigned pm_gpe0_sts = 0x20;  // 64 bits: nothing here ever sets one
inline constexpr unsigned pm_gpe0_en = 0x28;   // 64 bits RW
inline constexpr unsigned pm_smi_en = 0x30;    // RW
inline constexpr unsigned pm_smi_sts = 0x34;   // W1C: APM_STS, and no other is ever set
inline constexpr unsigned pm_tco_first = 0x60; // TCO block: 32 bytes
inline constexpr unsigned pm_tco_end = 0x80;

inline constexpr std::uint32_t smi_en_global = 1u << 0;
inline constexpr std::uint32_t smi_en_apmc = 1u << 5;
inline constexpr std::uint32_t smi_en_tco = 1u << 13;
inline constexpr std::uint32_t smi_en_writable = 0x080e687f;
inline constexpr std::uint32_t smi_sts_apm = 1u << 5;
/// S5 in PM1_CNT.SLP_TYP: what OVMF and SeaBIOS write to turn the machine off, and QEMU's choice.
inline constexpr std::uint8_t s5_sleep_type = 0;

// TCO block, by doubleword from pm_tco_first
inline constexpr unsigned tco_rld_dat = 0x00; // TCO_RLD 15:0, DAT_IN 23:16, DAT_OUT 31:24; RW
inline constexpr unsigned tco_status = 0x04;  // TCO1_STS 15:0, TCO2_STS 31:16; W1C
inline constexpr unsigned tco_control = 0x08; // TCO1_CNT 15:0, TCO2_CNT 31:16; RW
inline constexpr unsigned tco_message = 0x0c; // MESSAGE1 7:0, MESSAGE2 15:8, WDCNT 23:16; RW
inline constexpr unsigned tco_timer = 0x10;   // SW_IRQ_GEN 7:0, TCO_TMR 25:16; RW

inline constexpr std::uint64_t tco_tick_ns = 600'000'000;
inline constexpr unsigned tco_count_mask = 0x3ff;
inline constexpr unsigned tco_count_min = 2; // 0 and 1 do not count
inline constexpr std::uint16_t tco_count_power_on = 4;
inline constexpr unsigned tco1_sw_smi = 1u << 1;
inline constexpr unsigned tco1_int = 1u << 2;
inline constexpr unsigned tco1_timeout = 1u << 3;
inline constexpr unsigned tco2_second_timeout = 1u << 1;
inline constexpr unsigned tco2_boot = 1u << 2;
inline constexpr unsigned tco1_cnt_lock = 1u << 12; // sticks until reset
inline constexpr unsigned tco1_cnt_halt = 1u << 11;
inline constexpr unsigned tco1_cnt_writable = tco1_cnt_lock | tco1_cnt_halt | 1u << 9;
inline constexpr unsigned tco2_cnt_writable = 0x3e;
inline constexpr std::uint16_t tco2_cnt_power_on = 0x08;
inline constexpr unsigned tco_irq_gen_writable = 0x03;
inline constexpr std::uint8_t tco_irq_gen_power_on = 0x03;

// Chipset configuration registers (RCBA), by doubleword; the rest reads as zero
inline constexpr std::uint64_t rcba_bytes = 16 * 1024;
inline constexpr std::uint64_t rcrb_d31_d30_ir = 0x3140; // RO: the wiring of the board is fixed
inline constexpr std::uint64_t rcrb_d29_d28_ir = 0x3144; // RO
inline constexpr std::uint64_t rcrb_d27_ir = 0x3148;     // RO
inline constexpr std::uint64_t rcrb_d26_ir = 0x314c;     // RO
inline constexpr std::uint64_t rcrb_d25_ir = 0x3150;     // RO
inline constexpr std::uint64_t rcrb_oic = 0x31fc;        // RO: bits 31:24 are OIC, at 0x31ff
inline constexpr std::uint64_t rcrb_hptc = 0x3404;       // RW 7, 1:0: kept, without effect
inline constexpr std::uint64_t rcrb_gcs = 0x3410;        // RW 5
inline constexpr std::uint32_t oic_apic_enable = 1u << 24;
inline constexpr std::uint32_t hptc_writable = 0x83;
inline constexpr std::uint32_t gcs_no_reboot = 1u << 5;

// Ports 0xb2, 0xb3 and 0x92
inline constexpr std::uint64_t apm_control = 0; // RW
inline constexpr std::uint64_t apm_status = 1;  // RW
inline constexpr std::uint8_t apm_acpi_enable = 2;
inline constexpr std::uint8_t apm_acpi_disable = 3;
inline constexpr unsigned port92_init = 1u << 0; // RW; 0 to 1 resets
inline constexpr unsigned port92_a20 = 1u << 1;  // RW, without effect
inline constexpr unsigned port92_kept = port92_init | port92_a20;

} // namespace coldstart::ich9
