// Registers of a VGA with the Bochs display interface.
// Sources: IBM VGA technical reference (Personal System/2 Hardware Interface Technical Reference,
// "Video Subsystem"); QEMU, docs/specs/standard-vga.rst; the Bochs VBE display API (DISPI).
#pragma once

#include <cstddef>
#include <cstdint>

namespace coldstart::vga {

inline constexpr std::size_t memory_bytes = std::size_t{16} << 20;
/// What the VGA proper reaches: four planes of 64 KiB, interleaved byte by byte.
inline constexpr std::size_t planar_bytes = std::size_t{256} << 10;
inline constexpr std::size_t window_bytes = std::size_t{128} << 10; ///< 0xa0000..0xbffff

// Ports. Those marked * are at 0x3bx instead of 0x3dx while misc_colour is clear.
inline constexpr unsigned port_mono_base = 0x3b0;
inline constexpr unsigned port_attribute = 0x3c0;       // RW: index, then data on writes
inline constexpr unsigned port_attribute_data = 0x3c1;  // RO
inline constexpr unsigned port_status0_misc = 0x3c2;    // RO input status 0; WO misc output
inline constexpr unsigned port_sequencer_index = 0x3c4; // RW
inline constexpr unsigned port_sequencer_data = 0x3c5;  // RW
inline constexpr unsigned port_pel_mask = 0x3c6;        // RW
inline constexpr unsigned port_dac_read_index = 0x3c7;  // RO DAC state; WO index
inline constexpr unsigned port_dac_write_index = 0x3c8; // RW
inline constexpr unsigned port_dac_data = 0x3c9;        // RW
inline constexpr unsigned port_feature_read = 0x3ca;    // RO
inline constexpr unsigned port_misc_read = 0x3cc;       // RO
inline constexpr unsigned port_graphics_index = 0x3ce;  // RW
inline constexpr unsigned port_graphics_data = 0x3cf;   // RW
inline constexpr unsigned port_crtc_index = 0x3d4;      // RW *
inline constexpr unsigned port_crtc_data = 0x3d5;       // RW *
inline constexpr unsigned port_status1 = 0x3da;         // RO *; WO feature control

inline constexpr unsigned misc_colour = 1u << 0;

inline constexpr unsigned attribute_screen_on = 1u << 5; // PAS, in the index register

// Attribute controller, index                             access
inline constexpr std::size_t ar_mode = 0x10;          // RW
inline constexpr std::size_t ar_plane_enable = 0x12;  // RW
inline constexpr std::size_t ar_colour_select = 0x14; // RW
inline constexpr std::size_t ar_count = 0x15;

inline constexpr unsigned ar_mode_line_graphics = 1u << 2;
inline constexpr unsigned ar_mode_blink = 1u << 3;
inline constexpr unsigned ar_mode_select_p54 = 1u << 7;

// Sequencer
inline constexpr std::size_t sr_clocking = 0x01;    // RW
inline constexpr std::size_t sr_map_mask = 0x02;    // RW
inline constexpr std::size_t sr_font_select = 0x03; // RW
inline constexpr std::size_t sr_memory_mode = 0x04; // RW
inline constexpr std::size_t sr_count = 0x08;

inline constexpr unsigned sr_clocking_8_dots = 1u << 0;
inline constexpr unsigned sr_clocking_screen_off = 1u << 5;
inline constexpr unsigned sr_memory_sequential = 1u << 2; ///< clear: odd/even writes
inline constexpr unsigned sr_memory_chain4 = 1u << 3;

// Graphics controller
inline constexpr std::size_t gr_set_reset = 0x00;        // RW
inline constexpr std::size_t gr_enable_set_reset = 0x01; // RW
inline constexpr std::size_t gr_colour_compare = 0x02;   // RW
inline constexpr std::size_t gr_rotate = 0x03;           // RW
inline constexpr std::size_t gr_read_map = 0x04;         // RW
inline constexpr std::size_t gr_mode = 0x05;             // RW
inline constexpr std::size_t gr_misc = 0x06;             // RW
inline constexpr std::size_t gr_colour_dont_care = 0x07; // RW
inline constexpr std::size_t gr_bit_mask = 0x08;         // RW
inline constexpr std::size_t gr_count = 0x09;

inline constexpr unsigned gr_mode_write = 0x03;
inline constexpr unsigned gr_mode_compare = 1u << 3; ///< read mode 1
inline constexpr unsigned gr_mode_odd_even = 1u << 4;
inline constexpr unsigned gr_misc_graphics = 1u << 0;

// CRT controller
inline constexpr std::size_t cr_horizontal_end = 0x01;    // RW, protected
inline constexpr std::size_t cr_overflow = 0x07;          // RW, protected but line compare bit 8
inline constexpr std::size_t cr_max_scan = 0x09;          // RW
inline constexpr std::size_t cr_cursor_start = 0x0a;      // RW
inline constexpr std::size_t cr_cursor_end = 0x0b;        // RW
inline constexpr std::size_t cr_start_high = 0x0c;        // RW
inline constexpr std::size_t cr_start_low = 0x0d;         // RW
inline constexpr std::size_t cr_cursor_high = 0x0e;       // RW
inline constexpr std::size_t cr_cursor_low = 0x0f;        // RW
inline constexpr std::size_t cr_vertical_sync_end = 0x11; // RW, bit 7 protects 0x00 to 0x07
inline constexpr std::size_t cr_vertical_end = 0x12;      // RW
inline constexpr std::size_t cr_offset = 0x13;            // RW
inline constexpr std::size_t cr_mode = 0x17;              // RW
inline constexpr std::size_t cr_line_compare = 0x18;      // RW
inline constexpr std::size_t cr_count = 0x19;

inline constexpr unsigned cr_overflow_line_compare = 1u << 4;
inline constexpr unsigned cr_protect = 1u << 7;
inline constexpr unsigned cr_cursor_off = 1u << 5;
inline constexpr unsigned cr_max_scan_double = 1u << 7;
inline constexpr unsigned cr_mode_byte = 1u << 6;

inline constexpr unsigned status1_display_disabled = 1u << 0;
inline constexpr unsigned status1_vertical_retrace = 1u << 3;

// DISPI: 16-bit registers behind an index (ports 0x1ce, 0x1cf or 0x1d0) or in a row (BAR 2).
inline constexpr unsigned dispi_id = 0;          // RW: 0xb0c0..0xb0c5, others are ignored
inline constexpr unsigned dispi_xres = 1;        // RW
inline constexpr unsigned dispi_yres = 2;        // RW
inline constexpr unsigned dispi_bpp = 3;         // RW
inline constexpr unsigned dispi_enable = 4;      // RW
inline constexpr unsigned dispi_bank = 5;        // RW, in 64 KiB
inline constexpr unsigned dispi_virt_width = 6;  // RW
inline constexpr unsigned dispi_virt_height = 7; // RO: what fits
inline constexpr unsigned dispi_x_offset = 8;    // RW
inline constexpr unsigned dispi_y_offset = 9;    // RW
inline constexpr unsigned dispi_memory_64k = 10; // RO
inline constexpr unsigned dispi_stored = 10;     ///< registers that hold something
inline constexpr unsigned dispi_count = 11;

inline constexpr unsigned dispi_oldest_id = 0xb0c0;
inline constexpr unsigned dispi_newest_id = 0xb0c5;
inline constexpr unsigned dispi_max_xres = 16000;
inline constexpr unsigned dispi_max_yres = 12000;
inline constexpr unsigned dispi_max_bpp = 32;

inline constexpr unsigned enable_on = 0x01;
inline constexpr unsigned enable_get_capabilities = 0x02; ///< xres, yres, bpp read as the maxima
inline constexpr unsigned enable_8bit_dac = 0x20;
inline constexpr unsigned enable_no_clear = 0x80;

// BAR 2.
inline constexpr std::size_t mmio_bytes = 4096;
inline constexpr unsigned mmio_edid_end = 0x400; // RO, from 0: EDID, then zeroes
inline constexpr unsigned mmio_ports = 0x400;    // ports 0x3c0..0x3df
inline constexpr unsigned mmio_ports_end = 0x420;
inline constexpr unsigned mmio_dispi = 0x500;
inline constexpr unsigned mmio_dispi_end = mmio_dispi + 2 * dispi_count;
inline constexpr unsigned mmio_ext_size = 0x600;       // RO: bytes of this block
inline constexpr unsigned mmio_ext_byte_order = 0x604; // RW
inline constexpr std::uint32_t ext_bytes = 8;
inline constexpr std::uint32_t byte_order_little = 0x1e1e1e1e;
inline constexpr std::uint32_t byte_order_big = 0xbebebebe;

} // namespace coldstart::vga
