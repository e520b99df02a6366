// Boards as data: which devices a machine has, where each stands and which GSIs it drives.
// A board knows types by name only; the catalogue turns names into devices.
//
// Board micro: what a kernel that is booted directly needs, and nothing it would search for in
// vain: COM1, CMOS clock, ACPI power management, reset and POST ports, virtio over MMIO.
// Board pc: pc_board.h.
#pragma once

#include "api/command/vm_config.h"
#include "devices/core/pci/pci_address.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coldstart {

/// A region that is nowhere until the guest places it (a chipset's base registers).
inline constexpr std::uint64_t unplaced = ~std::uint64_t{0};

struct BoardDevice {
    std::string id = {};   ///< unique in the machine: "com1", "disk.rootfs"
    std::string type = {}; ///< its name in the catalogue
    /// One a region of the device: port or GPA, or `unplaced` where the guest decides.
    std::vector<std::uint64_t> regions = {};
    std::vector<std::uint32_t> gsis = {}; ///< one a line of the device
    std::optional<PciAddress> pci = {};   ///< of a PCI function: it has no regions nor gsis here
    std::string function = {};            ///< a variant or what is behind: "vars", "virtio-blk"
    std::size_t unit = 0;                 ///< which of the configuration's disks, or nets
    std::string stream = {};              ///< name of the byte stream behind a console
    /// Of a "cmos": what registers hold at first, (index, value).
    std::vector<std::pair<std::uint8_t, std::uint8_t>> nvram = {};
};

/// The devices of board micro in the order in which they start and in which a guest finds them:
/// the first disk is its first. Throws UsageError when two ids are the same or there are more
/// virtio devices than slots.
std::vector<BoardDevice> micro_board(const VmConfig& config);

/// Whether board micro has ACPI's fixed hardware and says that there are 8259s, or is
/// hardware-reduced.
bool has_fixed_acpi(const VmConfig& config);

/// How many virtio devices board micro takes: one for each interrupt that is free.
std::size_t micro_virtio_slots() noexcept;

} // namespace coldstart
