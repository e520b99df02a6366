// Registers, DMA descriptor and item keys of the firmware configuration device.
// Source: QEMU, docs/specs/fw_cfg.rst; the keys below 0x20 and from 0x8000 on are those of QEMU's
// standard-headers/linux/qemu_fw_cfg.h and hw/i386/fw_cfg.h, which firmware knows by number.
#pragma once

#include <cstddef>
#include <cstdint>

namespace coldstart::fw_cfg {

// Region "selector+data"; they overlap: a word at 0 selects, a byte at 1 is data.
inline constexpr unsigned selector_region = 0;
inline constexpr std::uint64_t port_selector = 0; // WO, 16 bits
inline constexpr std::uint64_t port_data = 1;     // RO, 8 bits

// Region "dma": big-endian, 32 bits at a time. Reads give the signature.
inline constexpr unsigned dma_region = 1;
inline constexpr std::uint64_t dma_address_high = 0;                     // WO
inline constexpr std::uint64_t dma_address_low = 4;                      // WO, starts the transfer
inline constexpr std::uint64_t dma_signature_le = 0x4746'4320'554d'4551; // "QEMU CFG"

// The descriptor in guest memory; every field is big-endian.
inline constexpr std::uint64_t descriptor_control = 0; // 4 bytes, RW: the result goes there
inline constexpr std::uint64_t descriptor_length = 4;  // 4 bytes
inline constexpr std::uint64_t descriptor_address = 8; // 8 bytes
inline constexpr std::size_t descriptor_bytes = 16;

inline constexpr std::uint32_t control_error = 0x01;
inline constexpr std::uint32_t control_read = 0x02;
inline constexpr std::uint32_t control_skip = 0x04;
inline constexpr std::uint32_t control_select = 0x08; // the key is in bits 31:16
inline constexpr std::uint32_t control_write = 0x10;
inline constexpr unsigned control_key_shift = 16;

// Keys: bit 15 says "of the architecture", bit 14 once said "for writing" and is ignored.
inline constexpr std::uint16_t key_write_bit = 0x4000;
inline constexpr std::uint16_t key_arch_bit = 0x8000;

inline constexpr std::uint16_t key_signature = 0x00;
inline constexpr std::uint16_t key_id = 0x01;
inline constexpr std::uint16_t key_uuid = 0x02;
inline constexpr std::uint16_t key_ram_size = 0x03;
inline constexpr std::uint16_t key_nographic = 0x04;
inline constexpr std::uint16_t key_cpus = 0x05;
inline constexpr std::uint16_t key_kernel_address = 0x07;
inline constexpr std::uint16_t key_kernel_size = 0x08;
inline constexpr std::uint16_t key_initrd_address = 0x0a;
inline constexpr std::uint16_t key_initrd_size = 0x0b;
inline constexpr std::uint16_t key_boot_menu = 0x0e;
inline constexpr std::uint16_t key_max_cpus = 0x0f;
inline constexpr std::uint16_t key_kernel_data = 0x11;
inline constexpr std::uint16_t key_initrd_data = 0x12;
inline constexpr std::uint16_t key_command_line_address = 0x13;
inline constexpr std::uint16_t key_command_line_size = 0x14;
inline constexpr std::uint16_t key_command_line_data = 0x15;
inline constexpr std::uint16_t key_setup_address = 0x16;
inline constexpr std::uint16_t key_setup_size = 0x17;
inline constexpr std::uint16_t key_setup_data = 0x18;
inline constexpr std::uint16_t key_file_directory = 0x19;
inline constexpr std::uint16_t key_first_file = 0x20;
inline constexpr std::uint16_t key_end = 0x4000; // of the generic keys

inline constexpr std::uint16_t key_irq0_override = 0x8002;
inline constexpr std::uint16_t key_hpet = 0x8004;

inline constexpr std::uint32_t id_traditional = 0x1;
inline constexpr std::uint32_t id_dma = 0x2;

// A directory entry: size (4), key (2), reserved (2), name; big-endian.
inline constexpr std::size_t directory_entry_bytes = 64;
inline constexpr std::size_t name_bytes = 56; // with its terminating zero

} // namespace coldstart::fw_cfg
