#include "devices/acpi_pm/acpi_pm.h"

#include "devices/core/acpi/reset_control.h"
#include "vmm/base/error.h"

#include <array>

namespace coldstart {

using namespace acpi_pm;
using namespace rst_cnt;

namespace {

constexpr std::array region_shapes = {
    RegionShape{"pm1_event", BusKind::pio, 4}, RegionShape{"pm1_control", BusKind::pio, 2},
    RegionShape{"pm_timer", BusKind::pio, 4}, RegionShape{"reset", BusKind::pio, 1}};
constexpr std::array line_shapes = {LineShape{"sci"}};

} // namespace

AcpiPm::AcpiPm(IrqLine& sci, Clock& clock, PowerControl& power, const AcpiPmOptions& options)
    : sci_(sci), power_(power), options_(options), pm1_(clock, options, [this] {
          const std::lock_guard guard(lock_);
          sync();
      }) {}

std::span<const RegionShape> AcpiPm::regions() const noexcept {
    return region_shapes;
}

std::span<const LineShape> AcpiPm::lines() const noexcept {
    return line_shapes;
}

AcpiDescription AcpiPm::acpi() const {
    AcpiDescription description;
    description.fixed_hardware = AcpiFixedHardware{.pm1_event_region = region_pm1_event,
                                                   .pm1_control_region = region_pm1_control,
                                                   .pm_timer_region = region_pm_timer,
                                                   .reset_region = region_reset,
                                                   .reset_value = reset_value,
                                                   .sci_line = 0,
                                                   .s5_sleep_type = options_.s5_sleep_type,
                                                   .pm_timer_32_bits = options_.timer_32_bits};
    return description;
}

std::uint64_t AcpiPm::read(unsigned region, std::uint64_t offset, unsigned width) noexcept {
    if (width > 4)
        return all_ones(width);
    const std::lock_guard guard(lock_);
    std::uint64_t value = 0;
    switch (region) {
    case region_pm1_event:
        value = pm1_.event();
        sync();
        break;
    case region_pm1_control:
        value = pm1_.control();
        break;
    case region_pm_timer:
        value = pm1_.timer();
        break;
    default:
        value = reset_control_;
        break;
    }
    return value >> (offset * 8) & all_ones(width);
}

void AcpiPm::write(unsigned region, std::uint64_t offset, unsigned width,
                   std::uint64_t value) noexcept {
    if (width > 4)
        return;
    // An access of part of a register leaves the other bytes alone.
    const std::uint64_t mask = all_ones(width) << (offset * 8);
    const std::uint64_t shifted = value << (offset * 8) & mask;
    bool power_off = false, reset_machine = false;
    {
        const std::lock_guard guard(lock_);
        if (region == region_pm1_event)
            pm1_.write_event(mask, shifted);
        else if (region == region_pm1_control)
            power_off = pm1_.write_control(mask, shifted);
        else if (region == region_reset)
            reset_machine = write_reset(shifted);
        sync();
    }
    if (power_off)
        power_.power_off();
    if (reset_machine)
        power_.reset();
}

bool AcpiPm::write_reset(std::uint64_t value) noexcept {
    reset_control_ = static_cast<std::uint8_t>(value & reset_kept);
    return (value & reset_cpu) != 0;
}

void AcpiPm::press_power_button() noexcept {
    const std::lock_guard guard(lock_);
    pm1_.press_power_button();
    sync();
}

void AcpiPm::set_sci_enabled(bool enabled) noexcept {
    const std::lock_guard guard(lock_);
    pm1_.set_sci_enabled(enabled);
    sync();
}

void AcpiPm::resume() {
    const std::lock_guard guard(lock_);
    sync();
}

void AcpiPm::reset() {
    const std::lock_guard guard(lock_);
    reset_control_ = 0;
    pm1_.reset();
    sync();
}

void AcpiPm::save(StateWriter& writer) const {
    const std::lock_guard guard(lock_);
    const Pm1Block::State saved = pm1_.saved();
    const auto& [status, enable, control, timer_elapsed_ns] = saved;
    writer.begin("acpi-pm", 1);
    writer.fields(status, enable, control, reset_control_, timer_elapsed_ns);
}

void AcpiPm::restore(StateReader& reader) {
    Pm1Block::State loaded;
    std::uint8_t reset_control = 0;
    auto& [status, enable, control, timer_elapsed_ns] = loaded;
    reader.begin("acpi-pm", 1);
    reader.fields(status, enable, control, reset_control, timer_elapsed_ns);
    const std::lock_guard guard(lock_);
    if (!pm1_.is_possible(loaded) || (reset_control & ~reset_kept) != 0)
        throw Error("saved state: acpi-pm registers hold impossible values", "the file is damaged");
    reset_control_ = reset_control;
    pm1_.load(loaded);
    sync();
}

} // namespace coldstart
