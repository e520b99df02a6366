#include "vmm/tables/tables.h"

#include <algorithm>
#include <span>

namespace coldstart {

namespace {

constexpr std::size_t fadt_bytes = 276;
constexpr std::uint8_t fadt_revision = 6;
constexpr std::uint8_t fadt_minor_revision = 4;

// Offsets of ACPI 6.4 table 5.9. PM1b, PM2 and GPE1 stay zero: absent. acpi_image.cpp sets the
// pointers to FACS and DSDT.
namespace at {
constexpr std::size_t sci_int = 46;
constexpr std::size_t smi_command = 48;
constexpr std::size_t acpi_enable = 52;
constexpr std::size_t acpi_disable = 53;
constexpr std::size_t pm1a_event = 56;
constexpr std::size_t pm1a_control = 64;
constexpr std::size_t pm_timer = 76;
constexpr std::size_t gpe0 = 80;
constexpr std::size_t pm1_event_length = 88;
constexpr std::size_t pm1_control_length = 89;
constexpr std::size_t pm_timer_length = 91;
constexpr std::size_t gpe0_length = 92;
constexpr std::size_t c2_latency = 96;
constexpr std::size_t c3_latency = 98;
constexpr std::size_t century = 108;
constexpr std::size_t boot_architecture = 109;
constexpr std::size_t flags = 112;
constexpr std::size_t reset_register = 116;
constexpr std::size_t reset_value = 128;
constexpr std::size_t minor_revision = 131;
constexpr std::size_t x_pm1a_event = 148;
constexpr std::size_t x_pm1a_control = 172;
constexpr std::size_t x_pm_timer = 208;
constexpr std::size_t x_gpe0 = 220;
constexpr std::size_t sleep_control = 244;
constexpr std::size_t sleep_status = 256;
} // namespace at

// IAPC_BOOT_ARCH, table 5.11. MSI_NOT_SUPPORTED (bit 3) stays clear.
constexpr std::uint16_t boot_legacy_devices = 1 << 0;
constexpr std::uint16_t boot_8042 = 1 << 1;
constexpr std::uint16_t boot_vga_not_present = 1 << 2;
constexpr std::uint16_t boot_no_aspm = 1 << 4;
constexpr std::uint16_t boot_cmos_rtc_not_present = 1 << 5;

// Fixed feature flags, table 5.10.
constexpr std::uint32_t flag_wbinvd = 1u << 0;
constexpr std::uint32_t flag_proc_c1 = 1u << 2;
constexpr std::uint32_t flag_no_fixed_power_button = 1u << 4;
constexpr std::uint32_t flag_no_fixed_sleep_button = 1u << 5;
constexpr std::uint32_t flag_no_fixed_rtc_wake = 1u << 6;
constexpr std::uint32_t flag_timer_32_bits = 1u << 8;
constexpr std::uint32_t flag_reset_register = 1u << 10;
constexpr std::uint32_t flag_apic_cluster = 1u << 18;
constexpr std::uint32_t flag_hardware_reduced = 1u << 20;

// Latencies above 100 and 1000 us: no C2, no C3.
constexpr std::uint16_t no_c2 = 0xfff;
constexpr std::uint16_t no_c3 = 0xfff;

constexpr std::uint8_t cmos_century_index = 0x32;

/// Flat logical destination mode reaches eight xAPICs; more want the cluster model.
constexpr std::size_t flat_apic_limit = 8;

bool has(const AcpiInputs& inputs, LegacyFeature feature) {
    return std::any_of(inputs.devices.begin(), inputs.devices.end(), [&](const auto& placed) {
        const auto features = placed.device->acpi().legacy;
        return std::find(features.begin(), features.end(), feature) != features.end();
    });
}

std::uint16_t boot_architecture(const AcpiInputs& inputs) {
    std::uint16_t value = boot_no_aspm;
    if (has(inputs, LegacyFeature::user_visible))
        value |= boot_legacy_devices;
    if (has(inputs, LegacyFeature::keyboard_controller))
        value |= boot_8042;
    if (!has(inputs, LegacyFeature::vga))
        value |= boot_vga_not_present;
    if (!has(inputs, LegacyFeature::cmos_rtc))
        value |= boot_cmos_rtc_not_present;
    return value;
}

void put_gas(std::span<std::byte> table, std::size_t offset, std::uint16_t port,
             unsigned width_bytes, unsigned access_bytes) {
    const auto gas = io_address(port, width_bytes, access_bytes);
    std::copy(gas.begin(), gas.end(), table.begin() + static_cast<std::ptrdiff_t>(offset));
}

void put_reset(std::span<std::byte> table, std::uint16_t port, std::uint8_t value) {
    put_gas(table, at::reset_register, port, 1, 1);
    store_le(table, at::reset_value, value);
}

void put_fixed_hardware(std::span<std::byte> table, const FixedHardware& fixed) {
    store_le(table, at::sci_int, static_cast<std::uint16_t>(fixed.sci_gsi));

    store_le(table, at::pm1a_event, std::uint32_t{fixed.pm1_event});
    store_le(table, at::pm1_event_length, std::uint8_t{4});
    put_gas(table, at::x_pm1a_event, fixed.pm1_event, 4, 2);

    store_le(table, at::pm1a_control, std::uint32_t{fixed.pm1_control});
    store_le(table, at::pm1_control_length, std::uint8_t{2});
    put_gas(table, at::x_pm1a_control, fixed.pm1_control, 2, 2);

    if (fixed.pm_timer != 0) {
        store_le(table, at::pm_timer, std::uint32_t{fixed.pm_timer});
        store_le(table, at::pm_timer_length, std::uint8_t{4});
        put_gas(table, at::x_pm_timer, fixed.pm_timer, 4, 4);
    }
    if (fixed.reset != 0)
        put_reset(table, fixed.reset, fixed.reset_value);
}

void put_reduced_hardware(std::span<std::byte> table, const ReducedHardware& reduced) {
    put_gas(table, at::sleep_control, reduced.sleep_control, 1, 1);
    put_gas(table, at::sleep_status, reduced.sleep_status, 1, 1);
    put_reset(table, reduced.reset, reduced.reset_value);
}

void put_chipset(std::span<std::byte> table, const PciAcpiFacts& chipset) {
    if (chipset.smi_command) {
        store_le(table, at::smi_command, std::uint32_t{chipset.smi_command->port});
        store_le(table, at::acpi_enable, chipset.smi_command->acpi_enable);
        store_le(table, at::acpi_disable, chipset.smi_command->acpi_disable);
    }
    if (chipset.gpe0) {
        store_le(table, at::gpe0, std::uint32_t{chipset.gpe0->base});
        store_le(table, at::gpe0_length, chipset.gpe0->size_bytes);
        put_gas(table, at::x_gpe0, chipset.gpe0->base, chipset.gpe0->size_bytes, 1);
    }
}

/// The power button is fixed hardware (PM1_STS bit 8) wherever there is any, else a device of the
/// DSDT; there is no sleep button, and no sleep state an RTC alarm could end.
std::uint32_t feature_flags(const AcpiInputs& inputs, const std::optional<FixedHardware>& fixed,
                            bool reset_register) {
    std::uint32_t flags =
        flag_wbinvd | flag_proc_c1 | flag_no_fixed_sleep_button | flag_no_fixed_rtc_wake;
    if (inputs.apic_ids.size() > flat_apic_limit)
        flags |= flag_apic_cluster;
    if (reset_register)
        flags |= flag_reset_register;
    if (!fixed)
        return flags | flag_hardware_reduced | flag_no_fixed_power_button;
    if (fixed->pm_timer != 0 && fixed->pm_timer_32_bits)
        flags |= flag_timer_32_bits;
    return flags;
}

} // namespace

std::vector<std::byte> build_fadt(const AcpiInputs& inputs, const PowerManagement& power) {
    const auto& [fixed, reduced] = power;
    std::vector<std::byte> table = sdt_begin("FACP", fadt_revision);
    table.resize(fadt_bytes);
    const std::span<std::byte> fields(table);

    store_le(fields, at::minor_revision, fadt_minor_revision);
    store_le(fields, at::c2_latency, no_c2);
    store_le(fields, at::c3_latency, no_c3);
    if (has(inputs, LegacyFeature::cmos_rtc))
        store_le(fields, at::century, cmos_century_index);
    store_le(fields, at::boot_architecture, boot_architecture(inputs));
    const bool reset_register = reduced || (fixed && fixed->reset != 0);
    store_le(fields, at::flags, feature_flags(inputs, fixed, reset_register));
    if (fixed)
        put_fixed_hardware(fields, *fixed);
    if (reduced)
        put_reduced_hardware(fields, *reduced);
    if (fixed && inputs.pci)
        put_chipset(fields, *inputs.pci);
    sdt_finish(table);
    return table;
}

std::vector<std::byte> build_facs() {
    constexpr std::size_t facs_bytes = 64;
    constexpr std::size_t version_offset = 32;
    std::vector<std::byte> table(facs_bytes); // no header of the usual form, no checksum
    std::copy_n(std::as_bytes(std::span("FACS")).begin(), 4, table.begin());
    store_le(std::span(table), 4, static_cast<std::uint32_t>(facs_bytes));
    store_le(std::span(table), version_offset, std::uint8_t{2});
    return table;
}

} // namespace coldstart
