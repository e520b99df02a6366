// Numbers of virtio over PCI: virtio 1.2, section 4.1.
#pragma once

#include <cstdint>

namespace coldstart::virtio_pci {

// Identity, 4.1.2.
inline constexpr std::uint16_t vendor = 0x1af4;
inline constexpr std::uint16_t first_device = 0x1040; ///< plus the virtio device id
inline constexpr std::uint8_t revision = 1;           ///< 0 is for transitional devices
inline constexpr std::uint16_t subsystem = 0x1100;    ///< any from 0x40 on

inline constexpr unsigned command_register = 0x04; ///< of the PCI header: le16 RW

// Capabilities, 4.1.4: a vendor-specific one for each structure.
inline constexpr std::uint8_t capability_id = 0x09;
enum class Structure : std::uint8_t { common = 1, notify = 2, isr = 3, device = 4, pci_access = 5 };

namespace cap {                               // RO but where said
inline constexpr unsigned length = 2;         // u8, of the capability itself
inline constexpr unsigned structure = 3;      // u8
inline constexpr unsigned bar = 4;            // u8; RW in pci_access
inline constexpr unsigned offset = 8;         // le32; RW in pci_access
inline constexpr unsigned size = 12;          // le32; RW in pci_access
inline constexpr unsigned bytes = 16;         // of those without a tail
inline constexpr unsigned notify_factor = 16; // le32, after notify: notify_off_multiplier
inline constexpr unsigned access_data = 16;   // RW, 4 bytes, after pci_access: pci_cfg_data
inline constexpr unsigned bytes_with_tail = 20;
} // namespace cap

// Where the structures stand in their BAR: one page each.
inline constexpr unsigned msix_bar = 1;
inline constexpr unsigned structures_bar = 4;
inline constexpr std::uint64_t common_at = 0x0000;
inline constexpr std::uint64_t isr_at = 0x1000;
inline constexpr std::uint64_t device_at = 0x2000;
inline constexpr std::uint64_t notify_at = 0x3000;
inline constexpr std::uint64_t structure_bytes = 0x1000;
inline constexpr std::uint64_t structures_bytes = 0x4000;
inline constexpr std::uint32_t notify_factor = 4; ///< bytes from one queue's doorbell to the next

// The common configuration structure, 4.1.4.3: each field takes accesses of its own width; those
// of 64 bits also as two halves, and of those of 32 bits the low half can be read.
namespace common {
inline constexpr std::uint64_t device_feature_select = 0x00; // le32 RW
inline constexpr std::uint64_t device_feature = 0x04;        // le32 RO
inline constexpr std::uint64_t driver_feature_select = 0x08; // le32 RW
inline constexpr std::uint64_t driver_feature = 0x0c;        // le32 RW
inline constexpr std::uint64_t config_msix_vector = 0x10;    // le16 RW
inline constexpr std::uint64_t num_queues = 0x12;            // le16 RO
inline constexpr std::uint64_t device_status = 0x14;         // u8 RW
inline constexpr std::uint64_t config_generation = 0x15;     // u8 RO
inline constexpr std::uint64_t queue_select = 0x16;          // le16 RW
inline constexpr std::uint64_t queue_size = 0x18;            // le16 RW
inline constexpr std::uint64_t queue_msix_vector = 0x1a;     // le16 RW
inline constexpr std::uint64_t queue_enable = 0x1c;          // le16 RW, 1 only
inline constexpr std::uint64_t queue_notify_off = 0x1e;      // le16 RO
inline constexpr std::uint64_t queue_desc = 0x20;            // le64 RW
inline constexpr std::uint64_t queue_driver = 0x28;          // le64 RW, the avail ring
inline constexpr std::uint64_t queue_device = 0x30;          // le64 RW, the used ring
inline constexpr std::uint64_t end = 0x38; // queue_notify_data and queue_reset are not offered

/// The width of the field that begins at `offset` (4 for each half of one of 64 bits), 0: none.
constexpr unsigned field_bytes(std::uint64_t offset) noexcept {
    if (offset < config_msix_vector || (offset >= queue_desc && offset < end))
        return offset % 4 == 0 ? 4 : 0;
    if (offset == device_status || offset == config_generation)
        return 1;
    return offset % 2 == 0 && offset < queue_desc ? 2 : 0;
}
} // namespace common

inline constexpr std::uint16_t no_vector = 0xffff; ///< VIRTIO_MSI_NO_VECTOR

// The ISR status, 4.1.4.5: read-to-clear.
inline constexpr std::uint8_t isr_queue = 1;
inline constexpr std::uint8_t isr_config = 2;

} // namespace coldstart::virtio_pci
