// What a device tells the ACPI tables about itself, as plain data. Addresses and interrupts are
// not here: vmm/tables takes those from the device's shape and placement.
// Source: ACPI 6.4, sections 5.2.9 (FADT) and 6.1 (device identification).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coldstart {

/// Legacy hardware whose presence the FADT reports in IAPC_BOOT_ARCH (ACPI 6.4 table 5.11).
enum class LegacyFeature : std::uint8_t {
    keyboard_controller, ///< a full 8042 at 0x60/0x64
    cmos_rtc,
    vga,
    user_visible, ///< LEGACY_DEVICES: user-visible devices on the LPC bus, such as serial ports
};

/// Fixed hardware of the FADT: which region (index into Device::regions) plays the part.
struct AcpiFixedHardware {
    unsigned pm1_event_region = 0;           ///< 4 bytes: PM1_STS, PM1_EN
    unsigned pm1_control_region = 0;         ///< 2 bytes
    std::optional<unsigned> pm_timer_region; ///< 4 bytes
    std::optional<unsigned> reset_region;
    std::uint8_t reset_value = 0;
    unsigned sci_line = 0;          ///< index into Device::lines
    std::uint8_t s5_sleep_type = 0; ///< SLP_TYP of \_S5
    bool pm_timer_32_bits = true;   ///< else 24 (FADT flag TMR_VAL_EXT)
};

/// Power management of a hardware-reduced machine (section 4.1): regions of one byte each, and the
/// interrupt of a Generic Event Device whose event is the power button.
struct AcpiReducedHardware {
    unsigned sleep_control_region = 0;
    unsigned sleep_status_region = 0;
    unsigned reset_region = 0;
    std::uint8_t reset_value = 0;
    unsigned power_button_line = 0; ///< index into Device::lines
    std::uint8_t s5_sleep_type = 0; ///< SLP_TYP of \_S5
};

struct AcpiDescription {
    /// Device object in \_SB: none when `hid` is empty. `name` is up to four characters; of
    /// several devices with one name the tables make COM1, COM2, ... (name cut and numbered).
    std::string name;
    std::string hid; ///< "PNP0501", "LNRO0005"
    std::string cid;
    std::optional<std::uint32_t> uid; ///< _UID; several devices of one _HID need it: then counted
    bool cache_coherent = false;      ///< emit _CCA = 1 (bus masters on hardware without snooping)

    std::vector<LegacyFeature> legacy;
    std::optional<AcpiFixedHardware> fixed_hardware;
    std::optional<AcpiReducedHardware> reduced_hardware;
};

} // namespace coldstart
