// Registers of the NS16550A. Source: National Semiconductor PC16550D data sheet (1995), section 8.
#pragma once

#include <cstddef>
#include <cstdint>

namespace coldstart::uart16550 {

inline constexpr std::uint64_t register_bytes = 8;
inline constexpr std::size_t fifo_bytes = 16;
inline constexpr std::uint64_t crystal_hz =
    1'843'200; ///< of the PC; a bit lasts 16 * divisor of it

//                                               DLAB  access
inline constexpr std::uint64_t reg_data = 0; // 0     RO RBR, WO THR
                                             // 1     RW DLL
inline constexpr std::uint64_t reg_ier = 1;  // 0     RW
                                             // 1     RW DLM
inline constexpr std::uint64_t reg_iir = 2;  // any   RO IIR
inline constexpr std::uint64_t reg_fcr = 2;  // any   WO FCR
inline constexpr std::uint64_t reg_lcr = 3;  // any   RW
inline constexpr std::uint64_t reg_mcr = 4;  // any   RW
inline constexpr std::uint64_t reg_lsr = 5;  // any   RO (writes are for the factory: ignored)
inline constexpr std::uint64_t reg_msr = 6;  // any   RO (writes ignored)
inline constexpr std::uint64_t reg_scr = 7;  // any   RW

// IER
inline constexpr unsigned ier_rx_data = 0x01;
inline constexpr unsigned ier_thr_empty = 0x02;
inline constexpr unsigned ier_line_status = 0x04;
inline constexpr unsigned ier_modem_status = 0x08;
inline constexpr unsigned ier_mask = 0x0f;

// IIR, highest priority first
inline constexpr unsigned iir_line_status = 0x06;
inline constexpr unsigned iir_rx_data = 0x04;
inline constexpr unsigned iir_rx_timeout = 0x0c;
inline constexpr unsigned iir_thr_empty = 0x02;
inline constexpr unsigned iir_modem_status = 0x00;
inline constexpr unsigned iir_none = 0x01;
inline constexpr unsigned iir_fifos_enabled = 0xc0;

// FCR
inline constexpr unsigned fcr_enable = 0x01;
inline constexpr unsigned fcr_clear_rx = 0x02; // clears itself
inline constexpr unsigned fcr_clear_tx = 0x04; // clears itself
inline constexpr unsigned fcr_dma_mode = 0x08; // kept, without effect
inline constexpr unsigned fcr_trigger_shift = 6;
inline constexpr unsigned fcr_kept = 0xc9;

// LCR
inline constexpr unsigned lcr_word_length = 0x03; // 5 bits and up
inline constexpr unsigned lcr_two_stop_bits = 0x04;
inline constexpr unsigned lcr_parity = 0x08;
inline constexpr unsigned lcr_break = 0x40;
inline constexpr unsigned lcr_dlab = 0x80;

// MCR
inline constexpr unsigned mcr_dtr = 0x01;
inline constexpr unsigned mcr_rts = 0x02;
inline constexpr unsigned mcr_out1 = 0x04;
inline constexpr unsigned mcr_out2 = 0x08; // on a PC: connects the interrupt line
inline constexpr unsigned mcr_loop = 0x10;
inline constexpr unsigned mcr_mask = 0x1f;

// LSR
inline constexpr unsigned lsr_data_ready = 0x01;
inline constexpr unsigned lsr_overrun = 0x02;
inline constexpr unsigned lsr_parity_error = 0x04;
inline constexpr unsigned lsr_framing_error = 0x08;
inline constexpr unsigned lsr_break = 0x10;
inline constexpr unsigned lsr_thr_empty = 0x20;
inline constexpr unsigned lsr_tx_empty = 0x40;
inline constexpr unsigned lsr_fifo_error = 0x80;
inline constexpr unsigned lsr_char_errors = lsr_parity_error | lsr_framing_error | lsr_break;

// MSR: lines in the high half, what changed since the last read in the low half
inline constexpr unsigned msr_delta_cts = 0x01;
inline constexpr unsigned msr_delta_dsr = 0x02;
inline constexpr unsigned msr_ring_ended = 0x04;
inline constexpr unsigned msr_delta_dcd = 0x08;
inline constexpr unsigned msr_deltas = 0x0f;
inline constexpr unsigned msr_cts = 0x10;
inline constexpr unsigned msr_dsr = 0x20;
inline constexpr unsigned msr_ring = 0x40;
inline constexpr unsigned msr_dcd = 0x80;

} // namespace coldstart::uart16550
