#include "devices/acpi_pm/acpi_pm.h"

#include "vmm/base/error.h"

#include <array>
#include <limits>

namespace coldstart {

using namespace acpi_pm;

namespace {

constexpr std::array region_shapes = {
    RegionShape{"pm1_event", BusKind::pio, 4}, RegionShape{"pm1_control", BusKind::pio, 2},
    RegionShape{"pm_timer", BusKind::pio, 4}, RegionShape{"reset", BusKind::pio, 1}};
constexpr std::array line_shapes = {LineShape{"sci"}};

constexpr std::uint64_t second_ns = 1'000'000'000;

/// A saved timer older than this (146 years) is damage; below it no sum overflows.
constexpr std::uint64_t max_timer_age_ns = std::numeric_limits<std::uint64_t>::max() / 4;

std::uint64_t ticks_in(std::uint64_t time_ns) noexcept {
    return time_ns / second_ns * timer_hz + time_ns % second_ns * timer_hz / second_ns;
}

std::uint64_t ns_of_tick(std::uint64_t tick) noexcept {
    return tick / timer_hz * second_ns + (tick % timer_hz * second_ns + timer_hz - 1) / timer_hz;
}

} // namespace

AcpiPm::AcpiPm(IrqLine& sci, Clock& clock, PowerControl& power, const AcpiPmOptions& options)
    : sci_(sci), clock_(clock), power_(power), options_(options) {
    state_.control = power_on_control();
    start_timer(0);
    overflow_timer_ = clock.make_timer([this] {
        const std::lock_guard guard(lock_);
        sync();
    });
}

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
        sync();
        value = state_.status | std::uint64_t{state_.enable} << 16u;
        break;
    case region_pm1_control:
        value = state_.control;
        break;
    case region_pm_timer:
        value = ticks_in(timer_age_ns()) & all_ones(timer_bits() / 8);
        break;
    default:
        value = state_.reset_control;
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
            write_event(mask, shifted);
        else if (region == region_pm1_control)
            power_off = write_control(mask, shifted);
        else if (region == region_reset)
            reset_machine = write_reset(shifted);
        sync();
    }
    if (power_off)
        power_.power_off();
    if (reset_machine)
        power_.reset();
}

void AcpiPm::write_event(std::uint64_t mask, std::uint64_t value) noexcept {
    catch_up(); // an overflow up to now is what the guest clears
    state_.status = static_cast<std::uint16_t>(state_.status & ~value);
    const std::uint64_t enable_mask = mask >> 16u & pm1_enable_mask;
    state_.enable =
        static_cast<std::uint16_t>((state_.enable & ~enable_mask) | (value >> 16u & enable_mask));
}

bool AcpiPm::write_control(std::uint64_t mask, std::uint64_t value) noexcept {
    const std::uint64_t kept_mask = mask & cnt_kept;
    state_.control =
        static_cast<std::uint16_t>((state_.control & ~kept_mask) | (value & kept_mask));
    if (options_.sci_always_enabled)
        state_.control = static_cast<std::uint16_t>(state_.control | cnt_sci_enabled);
    if ((value & cnt_sleep_enable) == 0)
        return false;
    if ((state_.control & cnt_sleep_type) >> cnt_sleep_type_shift == options_.s5_sleep_type)
        return true;
    state_.status = static_cast<std::uint16_t>(state_.status | pm1_wake);
    return false;
}

bool AcpiPm::write_reset(std::uint64_t value) noexcept {
    state_.reset_control = static_cast<std::uint8_t>(value & reset_kept);
    return (value & reset_cpu) != 0;
}

void AcpiPm::press_power_button() noexcept {
    const std::lock_guard guard(lock_);
    state_.status = static_cast<std::uint16_t>(state_.status | pm1_power_button);
    sync();
}

void AcpiPm::set_sci_enabled(bool enabled) noexcept {
    const std::lock_guard guard(lock_);
    const unsigned others = state_.control & ~cnt_sci_enabled;
    const bool set = enabled || options_.sci_always_enabled;
    state_.control = static_cast<std::uint16_t>(others | (set ? cnt_sci_enabled : 0));
    sync();
}

// TMR_STS is set whenever the counter's highest bit changes, twice a round.
std::uint64_t AcpiPm::half_periods() const noexcept {
    return ticks_in(timer_age_ns()) >> (timer_bits() - 1);
}

std::uint16_t AcpiPm::power_on_control() const noexcept {
    return options_.sci_always_enabled ? cnt_sci_enabled : 0;
}

void AcpiPm::start_timer(std::uint64_t age_ns) noexcept {
    timer_start_ns_ = clock_.now_ns() - age_ns;
    half_periods_seen_ = half_periods();
}

void AcpiPm::catch_up() noexcept {
    const std::uint64_t now = half_periods();
    if (now != half_periods_seen_)
        state_.status = static_cast<std::uint16_t>(state_.status | pm1_timer);
    half_periods_seen_ = now;
}

void AcpiPm::sync() noexcept {
    catch_up();
    const bool sci_enabled = (state_.control & cnt_sci_enabled) != 0;
    const bool raised = (state_.status & state_.enable & pm1_enable_mask) != 0;
    sci_.set_level(sci_enabled && raised);
    if (sci_enabled && (state_.enable & ~unsigned{state_.status} & pm1_timer) != 0)
        overflow_timer_->arm(timer_start_ns_ +
                             ns_of_tick((half_periods_seen_ + 1) << (timer_bits() - 1)));
    else
        overflow_timer_->cancel();
}

void AcpiPm::resume() {
    const std::lock_guard guard(lock_);
    sync();
}

void AcpiPm::reset() {
    const std::lock_guard guard(lock_);
    state_ = State{};
    state_.control = power_on_control();
    start_timer(0);
    sync();
}

void AcpiPm::save(StateWriter& writer) const {
    const std::lock_guard guard(lock_);
    State saved = state_;
    saved.timer_elapsed_ns = timer_age_ns();
    if (half_periods() != half_periods_seen_)
        saved.status = static_cast<std::uint16_t>(saved.status | pm1_timer);
    const auto& [status, enable, control, reset_control, timer_elapsed_ns] = saved;
    writer.begin("acpi-pm", 1);
    writer.fields(status, enable, control, reset_control, timer_elapsed_ns);
}

void AcpiPm::restore(StateReader& reader) {
    State loaded;
    auto& [status, enable, control, reset_control, timer_elapsed_ns] = loaded;
    reader.begin("acpi-pm", 1);
    reader.fields(status, enable, control, reset_control, timer_elapsed_ns);
    const bool sci_wrong = options_.sci_always_enabled && (control & cnt_sci_enabled) == 0;
    if ((status & ~pm1_status_mask) != 0 || (enable & ~pm1_enable_mask) != 0 ||
        (control & ~cnt_kept) != 0 || (reset_control & ~reset_kept) != 0 || sci_wrong ||
        timer_elapsed_ns > max_timer_age_ns)
        throw Error("saved state: acpi-pm registers hold impossible values", "the file is damaged");
    const std::lock_guard guard(lock_);
    state_ = loaded;
    start_timer(timer_elapsed_ns);
    sync();
}

} // namespace coldstart
