#include "devices/hpet/hpet.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <string_view>

namespace coldstart {

using namespace hpet;

namespace {

constexpr std::array region_shapes = {RegionShape{"registers", BusKind::mmio, region_bytes}};

constexpr std::array<std::string_view, 32> route_names = {
    "route0",  "route1",  "route2",  "route3",  "route4",  "route5",  "route6",  "route7",
    "route8",  "route9",  "route10", "route11", "route12", "route13", "route14", "route15",
    "route16", "route17", "route18", "route19", "route20", "route21", "route22", "route23",
    "route24", "route25", "route26", "route27", "route28", "route29", "route30", "route31"};

constexpr std::uint64_t low_half = 0xffff'ffff;
constexpr std::uint64_t wrap_32_bits = std::uint64_t{1} << 32;

constexpr std::uint64_t value_mask(std::uint64_t timer_configuration) noexcept {
    return (timer_configuration & timer_32_bit_mode) != 0 ? low_half : ~std::uint64_t{0};
}

constexpr std::uint64_t merged(std::uint64_t old, std::uint64_t value,
                               std::uint64_t mask) noexcept {
    return (old & ~mask) | (value & mask);
}

/// `tick` and so many steps that it lies behind `past`.
constexpr std::uint64_t step_beyond(std::uint64_t tick, std::uint64_t past,
                                    std::uint64_t step) noexcept {
    const std::uint64_t beyond = tick + ((past - tick) / step + 1) * step;
    return beyond > past ? beyond : ~std::uint64_t{0};
}

} // namespace

Hpet::Hpet(std::span<IrqLine* const> lines, std::span<const std::uint32_t> gsis, Clock& clock)
    : lines_(lines.begin(), lines.end()), gsis_(gsis.begin(), gsis.end()), clock_(clock) {
    if (gsis_.empty() || gsis_.size() != lines_.size())
        throw Error("hpet: needs at least one interrupt, and a line for each");
    for (const std::uint32_t gsi : gsis_) {
        if (gsi >= route_names.size() || has_route(gsi))
            throw Error(cat("hpet: GSI ", gsi, " can't be a route, or is one twice"));
        routes_ |= std::uint64_t{1} << gsi;
        line_shapes_.push_back({route_names[gsi]});
    }
    timer_ = clock.make_timer([this] {
        const std::lock_guard guard(lock_);
        catch_up();
        sync();
    });
}

std::span<const RegionShape> Hpet::regions() const noexcept {
    return region_shapes;
}

AcpiDescription Hpet::acpi() const {
    AcpiDescription description;
    description.name = "HPET";
    description.hid = "PNP0103";
    return description;
}

std::uint64_t Hpet::read(unsigned, std::uint64_t offset, unsigned width) noexcept {
    if (width < 4 || offset % width != 0)
        return all_ones(width);
    const std::lock_guard guard(lock_);
    const std::uint64_t value = read_register(offset - offset % register_bytes);
    return width == 8 ? value : value >> (offset % register_bytes * 8) & low_half;
}

void Hpet::write(unsigned, std::uint64_t offset, unsigned width, std::uint64_t value) noexcept {
    if (width < 4 || offset % width != 0)
        return;
    const auto shift = static_cast<unsigned>(offset % register_bytes * 8);
    const std::lock_guard guard(lock_);
    catch_up();
    write_register(offset - offset % register_bytes, value << shift, all_ones(width) << shift);
    catch_up(); // what was set to a moment that has come
    sync();
}

bool Hpet::running() const noexcept {
    return (state_.configuration & configuration_enable) != 0;
}

std::uint64_t Hpet::now_tick() const noexcept {
    return clock_.now_ns() / tick_ns;
}

std::uint64_t Hpet::counter(std::uint64_t tick) const noexcept {
    return running() ? state_.counter + tick : state_.counter;
}

std::uint64_t Hpet::read_register(std::uint64_t offset) noexcept {
    if (offset == reg_counter)
        return counter(now_tick());
    if (offset == reg_capabilities)
        return capabilities;
    if (offset == reg_configuration)
        return state_.configuration;
    catch_up();
    sync();
    if (offset == reg_status)
        return state_.status;
    if (offset < reg_timers || offset >= reg_timers + timer_count * timer_stride)
        return 0;
    const Timer& timer = state_.timers[(offset - reg_timers) / timer_stride];
    const std::uint64_t reg = offset % timer_stride;
    if (reg == timer_comparator)
        return timer.comparator & value_mask(timer.configuration);
    if (reg == timer_configuration)
        return timer.configuration | timer_can_repeat | timer_64_bits |
               routes_ << timer_routes_shift;
    return 0;
}

void Hpet::write_register(std::uint64_t offset, std::uint64_t value, std::uint64_t mask) noexcept {
    if (offset == reg_configuration) {
        write_configuration(merged(state_.configuration, value, mask));
    } else if (offset == reg_status) {
        state_.status &= ~(value & mask);
    } else if (offset == reg_counter) {
        if (!running())
            state_.counter = merged(state_.counter, value, mask);
    } else if (offset >= reg_timers && offset < reg_timers + timer_count * timer_stride) {
        const std::uint64_t index = (offset - reg_timers) / timer_stride;
        Timer& timer = state_.timers[index];
        if (offset % timer_stride == timer_configuration)
            write_timer(timer, merged(timer.configuration, value, mask));
        else if (offset % timer_stride == timer_comparator)
            write_comparator(timer, value, mask);
        if ((timer.configuration & timer_level) == 0)
            state_.status &= ~(std::uint64_t{1} << index); // for levels only
    }
}

void Hpet::write_configuration(std::uint64_t value) noexcept {
    const std::uint64_t tick = now_tick();
    const bool ran = running();
    if (ran && (value & configuration_enable) == 0) {
        state_.counter += tick;
        state_.configuration = 0;
        for (Timer& timer : state_.timers)
            timer.due_tick = never;
    } else if (!ran && (value & configuration_enable) != 0) {
        state_.counter -= tick;
        state_.configuration = configuration_enable;
        for (Timer& timer : state_.timers)
            aim(timer, 0);
    }
}

void Hpet::write_timer(Timer& timer, std::uint64_t value) noexcept {
    const std::uint64_t before = timer.configuration;
    value &= timer_writable;
    if (!has_route(static_cast<unsigned>((value & timer_route) >> timer_route_shift)))
        value = merged(value, before, timer_route); // reading it back tells
    if ((value & timer_periodic) == 0)
        value &= ~timer_set_value;
    timer.configuration = value;
    timer.comparator &= value_mask(value);
    timer.period &= value_mask(value);
    if (((before ^ value) & timer_32_bit_mode) != 0)
        aim(timer, 0);
}

// A periodic timer takes a write as its period, and with "set value" as its next match, too.
void Hpet::write_comparator(Timer& timer, std::uint64_t value, std::uint64_t mask) noexcept {
    mask &= value_mask(timer.configuration);
    const bool periodic = (timer.configuration & timer_periodic) != 0;
    const bool sets_match = !periodic || (timer.configuration & timer_set_value) != 0;
    timer.configuration &= ~timer_set_value;
    if (periodic)
        timer.period = merged(timer.period, value, mask);
    if (sets_match) {
        timer.comparator = merged(timer.comparator, value, mask);
        aim(timer, late_ticks);
    }
}

// Finds the tick of the next match, or of one that was missed by no more than `allowed_late`.
void Hpet::aim(Timer& timer, std::uint64_t allowed_late) noexcept {
    timer.due_tick = never;
    if (!running())
        return;
    const std::uint64_t tick = now_tick();
    const std::uint64_t mask = value_mask(timer.configuration);
    const std::uint64_t behind = (counter(tick) - timer.comparator) & mask;
    if (behind <= allowed_late) {
        timer.due_tick = tick - std::min(tick, behind);
        return;
    }
    const std::uint64_t ahead = (timer.comparator - counter(tick)) & mask;
    if (ahead < never - tick)
        timer.due_tick = tick + ahead;
}

// Does what the timers did by themselves since the last time anyone looked.
void Hpet::catch_up() noexcept {
    if (!running())
        return;
    const std::uint64_t tick = now_tick();
    for (unsigned index = 0; index < timer_count; ++index) {
        if (state_.timers[index].due_tick <= tick)
            match(index, tick);
    }
}

void Hpet::match(unsigned index, std::uint64_t tick) noexcept {
    Timer& timer = state_.timers[index];
    const std::uint64_t due = timer.due_tick;
    const bool periodic = (timer.configuration & timer_periodic) != 0;
    timer.due_tick = never;
    if (periodic && timer.period != 0) {
        timer.due_tick = step_beyond(due, tick, timer.period);
        timer.comparator =
            (timer.comparator + (timer.due_tick - due)) & value_mask(timer.configuration);
    } else if (!periodic && (timer.configuration & timer_32_bit_mode) != 0) {
        timer.due_tick = step_beyond(due, tick, wrap_32_bits);
    }
    if ((timer.configuration & timer_level) != 0) {
        state_.status |= std::uint64_t{1} << index;
    } else if ((timer.configuration & timer_interrupt) != 0) {
        for (std::size_t line = 0; line < lines_.size(); ++line) {
            if (gsis_[line] == route(timer))
                lines_[line]->pulse();
        }
    }
}

unsigned Hpet::route(const Timer& timer) const noexcept {
    return static_cast<unsigned>((timer.configuration & timer_route) >> timer_route_shift);
}

void Hpet::sync() noexcept {
    std::uint64_t asserted = 0;
    for (unsigned index = 0; index < timer_count; ++index) {
        const Timer& timer = state_.timers[index];
        if (running() && (state_.status >> index & 1) != 0 &&
            (timer.configuration & timer_interrupt) != 0)
            asserted |= std::uint64_t{1} << route(timer);
    }
    for (std::size_t line = 0; line < lines_.size(); ++line)
        lines_[line]->set_level((asserted >> gsis_[line] & 1) != 0);
    arm();
}

void Hpet::arm() noexcept {
    std::uint64_t next = never;
    const std::uint64_t soonest_repeat = now_tick() + minimum_ticks;
    for (unsigned index = 0; index < timer_count; ++index) {
        const Timer& timer = state_.timers[index];
        const bool delivers = (timer.configuration & timer_interrupt) != 0 &&
                              has_route(route(timer)) && (state_.status >> index & 1) == 0;
        if (!delivers || timer.due_tick == never)
            continue;
        const bool too_fast =
            (timer.configuration & timer_periodic) != 0 && timer.period < minimum_ticks;
        next = std::min(next, too_fast ? std::max(timer.due_tick, soonest_repeat) : timer.due_tick);
    }
    if (next > never / tick_ns)
        timer_->cancel();
    else
        timer_->arm(next * tick_ns);
}

void Hpet::resume() {
    const std::lock_guard guard(lock_);
    catch_up();
    sync();
}

void Hpet::reset() {
    const std::lock_guard guard(lock_);
    state_ = State{};
    sync();
}

// Another process's clock counts from elsewhere: the counter is saved as it reads, and matches as
// their distance from now, negative for one that nobody noticed yet.
void Hpet::save(StateWriter& writer) const {
    const std::lock_guard guard(lock_);
    const auto& [configuration, status, saved_counter, timers] = state_;
    const std::uint64_t tick = now_tick();
    writer.begin("hpet", 1);
    writer.fields(configuration, status, running() ? saved_counter + tick : saved_counter);
    for (const Timer& timer : timers) {
        const auto& [timer_bits, comparator, period, due_tick] = timer;
        writer.fields(timer_bits, comparator, period, due_tick != never,
                      due_tick != never ? due_tick - tick : 0);
    }
}

Hpet::State Hpet::from_reader(StateReader& reader) {
    State loaded;
    auto& [configuration, status, loaded_counter, timers] = loaded;
    reader.begin("hpet", 1);
    reader.fields(configuration, status, loaded_counter);
    bool possible = (configuration & ~configuration_enable) == 0 && status < std::uint64_t{1}
                                                                                 << timer_count;
    for (Timer& timer : timers) {
        auto& [timer_bits, comparator, period, due_tick] = timer;
        bool due = false;
        reader.fields(timer_bits, comparator, period, due, due_tick);
        if (!due)
            due_tick = never;
        possible = possible && (timer_bits & ~timer_writable) == 0 &&
                   ((comparator | period) & ~value_mask(timer_bits)) == 0 &&
                   (!due || configuration != 0);
    }
    if (!possible)
        throw Error("saved state: hpet registers hold impossible values", "the file is damaged");
    return loaded;
}

void Hpet::restore(StateReader& reader) {
    State loaded = from_reader(reader);
    const std::lock_guard guard(lock_);
    const std::uint64_t tick = now_tick();
    if (loaded.configuration != 0)
        loaded.counter -= tick;
    for (Timer& timer : loaded.timers) {
        if (timer.due_tick != never)
            timer.due_tick += tick;
    }
    state_ = loaded;
    sync();
}

} // namespace coldstart
