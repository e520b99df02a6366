// Registers of the ICH9's SMBus host controller. Source: ICH9 data sheet, chapter 19.
#pragma once

#include <cstddef>
#include <cstdint>

namespace coldstart::ich9 {

// Configuration space
inline constexpr unsigned smbus_bar = 4;          // I/O, 32 ports
inline constexpr unsigned cfg_smbus_hostc = 0x40; // RW; SSRESET reads 0
inline constexpr unsigned hostc_enable = 0x01;
inline constexpr unsigned hostc_soft_reset = 0x08;
inline constexpr unsigned hostc_writable = 0x17;

inline constexpr unsigned smbus_ports = 32;

// Ports                                              access
inline constexpr std::size_t hst_sts = 0x00;       // W1C; BUSY RO, INUSE set by a read
inline constexpr std::size_t hst_cnt = 0x02;       // RW; START reads 0
inline constexpr std::size_t hst_cmd = 0x03;       // RW
inline constexpr std::size_t xmit_slva = 0x04;     // RW
inline constexpr std::size_t hst_d0 = 0x05;        // RW
inline constexpr std::size_t hst_d1 = 0x06;        // RW
inline constexpr std::size_t host_block_db = 0x07; // RW, a window into 32 bytes with AUX_CTL.E32B
inline constexpr std::size_t pec = 0x08;           // RW
inline constexpr std::size_t rcv_slva = 0x09;      // RW, kept without effect
inline constexpr std::size_t aux_ctl = 0x0d;       // RW 1:0
inline constexpr std::size_t smbus_pin_ctl = 0x0f; // RO: both lines high, clock not held
inline constexpr std::size_t slv_cmd = 0x11;       // RW, kept without effect

inline constexpr unsigned sts_device_error = 0x04;
inline constexpr unsigned sts_failed = 0x10;
inline constexpr unsigned sts_in_use = 0x40;
inline constexpr unsigned sts_interrupting = sts_device_error | sts_failed;
inline constexpr unsigned sts_kept = sts_interrupting | sts_in_use;

inline constexpr unsigned cnt_interrupt_enable = 0x01;
inline constexpr unsigned cnt_kill = 0x02;
inline constexpr unsigned cnt_start = 0x40;
inline constexpr unsigned cnt_kept_bits = 0xbf; // all but START

inline constexpr unsigned aux_ctl_writable = 0x03;
inline constexpr unsigned aux_ctl_block_buffer = 0x02;
inline constexpr std::uint8_t pin_ctl_idle = 0x07;
inline constexpr std::size_t block_bytes = 32;

} // namespace coldstart::ich9
