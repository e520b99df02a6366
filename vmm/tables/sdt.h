// What the system description tables share: the header and its checksum, generic addresses, and
// the fixed hardware found among the placed devices.
// Source: ACPI 6.4, sections 5.2.3.2 (GAS), 5.2.6 (header).
#pragma once

#include "devices/core/device.h"
#include "vmm/base/bytes.h"
#include "vmm/tables/acpi_tables.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace coldstart {

inline constexpr std::size_t sdt_header_bytes = 36;
inline constexpr std::size_t sdt_checksum = 9; ///< offset of the byte in the header
inline constexpr std::string_view acpi_oem_id = "COLDST";

/// The byte that makes the sum of `bytes` zero.
std::uint8_t checksum_of(ByteView bytes) noexcept;

/// A header with room for the length and the checksum, which sdt_finish() fills in.
std::vector<std::byte> sdt_begin(std::string_view signature, std::uint8_t revision);
void sdt_finish(std::vector<std::byte>& table);

/// Generic Address Structure, for `width_bytes` ports at `address`, read `access_bytes` at a time.
std::array<std::byte, 12> io_address(std::uint16_t address, unsigned width_bytes,
                                     unsigned access_bytes);

/// The one device with AcpiFixedHardware, its ports and interrupt taken from its placement, or,
/// where the guest places it, from PciAcpiFacts::pm_base.
struct FixedHardware {
    std::uint16_t pm1_event = 0;
    std::uint16_t pm1_control = 0;
    std::uint16_t pm_timer = 0; ///< 0: none
    bool pm_timer_32_bits = false;
    std::uint16_t reset = 0; ///< 0: none
    std::uint8_t reset_value = 0;
    std::uint32_t sci_gsi = 0;
    bool sci_edge = false;
    std::uint8_t s5_sleep_type = 0;
};

/// The one device with AcpiReducedHardware, its ports and interrupt taken from its placement.
struct ReducedHardware {
    std::uint16_t sleep_control = 0;
    std::uint16_t sleep_status = 0;
    std::uint16_t reset = 0;
    std::uint8_t reset_value = 0;
    std::uint32_t power_button_gsi = 0;
    bool power_button_edge = false;
    std::uint8_t s5_sleep_type = 0;
};

/// A base that says that a region is nowhere until the guest places it.
inline constexpr std::uint64_t acpi_unplaced = ~std::uint64_t{0};

/// What a machine has of either; at most one. A machine without fixed hardware is
/// hardware-reduced, with or without a device that has the registers of that.
struct PowerManagement {
    std::optional<FixedHardware> fixed;
    std::optional<ReducedHardware> reduced;
};

/// Throws Error on two such devices, and on one that is nowhere.
PowerManagement find_power_management(const AcpiInputs& inputs);

} // namespace coldstart
