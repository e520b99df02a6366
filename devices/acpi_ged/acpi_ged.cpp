#include "devices/acpi_ged/acpi_ged.h"

#include "devices/core/acpi/pm1_spec.h"
#include "devices/core/acpi/reset_control.h"
#include "vmm/base/error.h"

#include <array>

namespace coldstart {

using namespace acpi_ged;
using namespace rst_cnt;

namespace {

constexpr std::array region_shapes = {
    RegionShape{"sleep_control", BusKind::pio, 1}, RegionShape{"sleep_status", BusKind::pio, 1},
    RegionShape{"reset", BusKind::pio, 1}, RegionShape{"power_off", BusKind::pio, 2}};
constexpr std::array line_shapes = {LineShape{"event", true}};

/// Whether a word written to PM1_CNT (section 4.8.3.2.1) enters S5.
constexpr bool is_pm1_soft_off(std::uint64_t value) noexcept {
    using namespace acpi_pm;
    return (value & cnt_sleep_enable) != 0 &&
           (value & cnt_sleep_type) >> cnt_sleep_type_shift == s5_sleep_type;
}

} // namespace

std::span<const RegionShape> AcpiGed::regions() const noexcept {
    return region_shapes;
}

std::span<const LineShape> AcpiGed::lines() const noexcept {
    return line_shapes;
}

AcpiDescription AcpiGed::acpi() const {
    AcpiDescription description;
    description.reduced_hardware = AcpiReducedHardware{.sleep_control_region = region_sleep_control,
                                                       .sleep_status_region = region_sleep_status,
                                                       .reset_region = region_reset,
                                                       .reset_value = reset_value,
                                                       .power_button_line = 0,
                                                       .s5_sleep_type = s5_sleep_type};
    return description;
}

std::uint64_t AcpiGed::read(unsigned region, std::uint64_t, unsigned width) noexcept {
    if (region == region_power_off || width != 1)
        return all_ones(width);
    const std::lock_guard guard(lock_);
    switch (region) {
    case region_sleep_control:
        return state_.sleep_control;
    case region_sleep_status:
        return state_.sleep_status;
    default:
        return state_.reset_control;
    }
}

void AcpiGed::write(unsigned region, std::uint64_t, unsigned width, std::uint64_t value) noexcept {
    if (region == region_power_off) {
        if (width == 2 && is_pm1_soft_off(value))
            power_.power_off();
        return;
    }
    if (width != 1)
        return;
    switch (region) {
    case region_sleep_control:
        if (write_sleep_control(value))
            power_.power_off();
        break;
    case region_sleep_status:
        clear_sleep_status(value);
        break;
    default:
        if (write_reset_control(value))
            power_.reset();
        break;
    }
}

bool AcpiGed::write_sleep_control(std::uint64_t value) noexcept {
    const std::lock_guard guard(lock_);
    state_.sleep_control = static_cast<std::uint8_t>(value & sleep_type_mask);
    if ((value & sleep_enable) == 0)
        return false;
    if ((value & sleep_type_mask) >> sleep_type_shift == s5_sleep_type)
        return true;
    state_.sleep_status |= wake_status;
    return false;
}

void AcpiGed::clear_sleep_status(std::uint64_t ones) noexcept {
    const std::lock_guard guard(lock_);
    state_.sleep_status &= static_cast<std::uint8_t>(~ones);
}

bool AcpiGed::write_reset_control(std::uint64_t value) noexcept {
    const std::lock_guard guard(lock_);
    state_.reset_control = static_cast<std::uint8_t>(value & reset_kept);
    return (value & reset_cpu) != 0;
}

void AcpiGed::reset() {
    const std::lock_guard guard(lock_);
    state_ = {};
}

void AcpiGed::save(StateWriter& writer) const {
    const std::lock_guard guard(lock_);
    const auto& [sleep_control, sleep_status, reset_control] = state_;
    writer.begin("acpi-ged", 1);
    writer.fields(sleep_control, sleep_status, reset_control);
}

void AcpiGed::restore(StateReader& reader) {
    State loaded;
    auto& [sleep_control, sleep_status, reset_control] = loaded;
    reader.begin("acpi-ged", 1);
    reader.fields(sleep_control, sleep_status, reset_control);
    if ((sleep_control & ~sleep_type_mask) != 0 || (sleep_status & ~wake_status) != 0 ||
        (reset_control & ~reset_kept) != 0)
        throw Error("saved state: acpi-ged registers hold impossible values",
                    "the file is damaged");
    const std::lock_guard guard(lock_);
    state_ = loaded;
}

} // namespace coldstart
