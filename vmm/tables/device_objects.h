// Device objects of the DSDT: one for each placed device that describes itself, its resources taken
// from its shape and placement.
// Source: ACPI 6.4, section 6.1 and 6.2.2 (_CRS).
#pragma once

#include "devices/core/device.h"
#include "vmm/tables/aml.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace coldstart {

inline constexpr const char* keyboard_hid = "PNP0303";
inline constexpr const char* mouse_hid = "PNP0F13";
inline constexpr const char* fw_cfg_hid = "QEMU0002";
inline constexpr const char* hpet_hid = "PNP0103";

/// A name that the chipset's own objects use, and, of those with a _UID, the pair that does.
struct ReservedName {
    std::string_view name = {};
    std::string_view hid = {};
    std::uint32_t uid = 0;
};

struct DeviceObject {
    aml::Term term;
    std::string hid;
    bool has_ports = false;
};

/// In the order of `devices`, under names and _UIDs that are unique in all.
std::vector<DeviceObject> device_objects(std::span<const PlacedDevice> devices,
                                         std::span<const ReservedName> reserved);

} // namespace coldstart
