// The registers of virtio over MMIO, version 2: virtio 1.2, section 4.2.2, table 4.1.
#pragma once

#include <cstdint>

namespace coldstart::virtio_mmio {

// Every register is 32 bits wide and takes aligned 32-bit accesses alone.
inline constexpr std::uint64_t magic_value = 0x000;         // RO
inline constexpr std::uint64_t version = 0x004;             // RO
inline constexpr std::uint64_t device_id = 0x008;           // RO
inline constexpr std::uint64_t vendor_id = 0x00c;           // RO
inline constexpr std::uint64_t device_features = 0x010;     // RO
inline constexpr std::uint64_t device_features_sel = 0x014; // WO
inline constexpr std::uint64_t driver_features = 0x020;     // WO
inline constexpr std::uint64_t driver_features_sel = 0x024; // WO
inline constexpr std::uint64_t queue_sel = 0x030;           // WO
inline constexpr std::uint64_t queue_num_max = 0x034;       // RO
inline constexpr std::uint64_t queue_num = 0x038;           // WO
inline constexpr std::uint64_t queue_ready = 0x044;         // RW
inline constexpr std::uint64_t queue_notify = 0x050;        // WO
inline constexpr std::uint64_t interrupt_status = 0x060;    // RO
inline constexpr std::uint64_t interrupt_ack = 0x064;       // WO
inline constexpr std::uint64_t status = 0x070;              // RW
inline constexpr std::uint64_t queue_desc_low = 0x080;      // WO
inline constexpr std::uint64_t queue_desc_high = 0x084;     // WO
inline constexpr std::uint64_t queue_driver_low = 0x090;    // WO, the avail ring
inline constexpr std::uint64_t queue_driver_high = 0x094;   // WO
inline constexpr std::uint64_t queue_device_low = 0x0a0;    // WO, the used ring
inline constexpr std::uint64_t queue_device_high = 0x0a4;   // WO
inline constexpr std::uint64_t shm_sel = 0x0ac;             // WO
inline constexpr std::uint64_t shm_len_low = 0x0b0;         // RO
inline constexpr std::uint64_t shm_len_high = 0x0b4;        // RO
inline constexpr std::uint64_t shm_base_low = 0x0b8;        // RO
inline constexpr std::uint64_t shm_base_high = 0x0bc;       // RO
inline constexpr std::uint64_t config_generation = 0x0fc;   // RO
inline constexpr std::uint64_t config = 0x100;              // RW, any width, up to the end

inline constexpr std::uint32_t magic = 0x74726976;  // "virt"
inline constexpr std::uint32_t vendor = 0x54534443; // "CDST"
inline constexpr std::uint32_t interrupt_queue = 1;
inline constexpr std::uint32_t interrupt_config = 2;

} // namespace coldstart::virtio_mmio
