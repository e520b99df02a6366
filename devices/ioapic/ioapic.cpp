#include "devices/ioapic/ioapic.h"

#include "vmm/base/error.h"

#include <algorithm>

namespace coldstart {

using namespace ioapic;

namespace {

constexpr std::array region_shapes = {RegionShape{"registers", BusKind::mmio, region_bytes}};

constexpr std::uint32_t all_pins = (1u << pins) - 1;

// Intel SDM vol. 3 section 11.11: how a message says what an entry says.
constexpr std::uint64_t message_base = 0xfee00000;
constexpr unsigned message_destination_shift = 12;
constexpr std::uint64_t message_logical = 1u << 2;
constexpr std::uint32_t message_assert = 1u << 14;
constexpr std::uint32_t message_level = 1u << 15;

bool is_level(std::uint64_t entry) noexcept {
    return (entry & entry_level) != 0;
}

unsigned delivery_of(std::uint64_t entry) noexcept {
    return entry >> entry_delivery_shift & 7;
}

MsiMessage message_of(std::uint64_t entry) noexcept {
    const std::uint64_t destination = entry >> entry_destination_shift;
    MsiMessage message;
    message.address = message_base | destination << message_destination_shift;
    if ((entry & entry_logical) != 0)
        message.address |= message_logical;
    message.data = static_cast<std::uint32_t>(entry & entry_vector) | delivery_of(entry) << 8;
    if (is_level(entry))
        message.data |= message_level | message_assert;
    return message;
}

/// Only these have an end that a processor tells.
bool has_end(std::uint64_t entry) noexcept {
    return is_level(entry) && delivery_of(entry) <= delivery_lowest &&
           (entry & entry_vector) >= first_valid_vector;
}

} // namespace

Ioapic::Ioapic(ProcessorInterrupts& processors)
    : processors_(processors), state_(power_on_state()) {}

Ioapic::State Ioapic::power_on_state() noexcept {
    State state;
    state.entries.fill(entry_masked);
    return state;
}

std::span<const RegionShape> Ioapic::regions() const noexcept {
    return region_shapes;
}

std::uint64_t Ioapic::read(unsigned, std::uint64_t offset, unsigned width) noexcept {
    const std::lock_guard guard(lock_);
    if (offset == reg_select && width <= 4)
        return state_.select;
    if (offset == reg_window && width == 4)
        return read_window();
    return all_ones(width);
}

std::uint32_t Ioapic::read_window() const noexcept {
    if (state_.select == index_id || state_.select == index_arbitration)
        return state_.id;
    if (state_.select == index_version)
        return version;
    const unsigned half = static_cast<unsigned>(state_.select) - index_redirection;
    if (state_.select < index_redirection || half >= 2 * pins)
        return ~std::uint32_t{0};
    return static_cast<std::uint32_t>(state_.entries[half / 2] >> (half % 2 * 32));
}

void Ioapic::write(unsigned, std::uint64_t offset, unsigned width, std::uint64_t value) noexcept {
    if (offset == reg_eoi && width == 4) {
        end_of_interrupt(static_cast<std::uint8_t>(value));
        return;
    }
    const std::lock_guard guard(lock_);
    if (offset == reg_select && width <= 4)
        state_.select = static_cast<std::uint8_t>(value);
    else if (offset == reg_window && width == 4)
        write_window(static_cast<std::uint32_t>(value));
}

void Ioapic::write_window(std::uint32_t value) noexcept {
    if (state_.select == index_id)
        state_.id = value & id_writable;
    const unsigned half = static_cast<unsigned>(state_.select) - index_redirection;
    if (state_.select < index_redirection || half >= 2 * pins)
        return;
    const unsigned shift = half % 2 * 32;
    const std::uint64_t other_half = ~(std::uint64_t{0xffffffff} << shift);
    write_entry(half / 2, (state_.entries[half / 2] & other_half) | std::uint64_t{value} << shift);
}

void Ioapic::write_entry(unsigned pin, std::uint64_t entry) noexcept {
    std::uint64_t& now = state_.entries[pin];
    // An edge has no end to wait for: software that knows no EOI register ends a level that way.
    const std::uint64_t remote_irr = is_level(entry) ? now & entry_remote_irr : 0;
    now = (entry & entry_writable) | remote_irr;
    if (is_level(now))
        state_.kept_edges &= ~(1u << pin);
    if ((now & entry_masked) != 0)
        return; // what it sent may still have to end, so that nothing changes in the watching
    watch(pin);
    service(pin);
}

void Ioapic::watch(unsigned pin) noexcept {
    const std::uint64_t entry = state_.entries[pin];
    processors_.watch_level(pin, has_end(entry) ? std::optional(message_of(entry)) : std::nullopt);
}

void Ioapic::service(unsigned pin) noexcept {
    std::uint64_t& entry = state_.entries[pin];
    const std::uint32_t bit = 1u << pin;
    if ((entry & entry_masked) != 0)
        return;
    if (is_level(entry)) {
        if ((state_.inputs & bit) == 0 || (entry & entry_remote_irr) != 0)
            return;
        if (has_end(entry))
            entry |= entry_remote_irr;
    } else {
        if ((state_.kept_edges & bit) == 0)
            return;
        state_.kept_edges &= ~bit;
    }
    if (delivery_of(entry) != delivery_extint)
        processors_.send(message_of(entry));
}

void Ioapic::set_input(unsigned pin, bool asserted) noexcept {
    if (pin >= pins)
        return;
    const std::lock_guard guard(lock_);
    const std::uint32_t bit = 1u << pin;
    if (((state_.inputs & bit) != 0) == asserted)
        return;
    state_.inputs ^= bit;
    if (!asserted)
        return;
    if (!is_level(state_.entries[pin]))
        state_.kept_edges |= bit;
    service(pin);
}

void Ioapic::end_of_interrupt(std::uint8_t vector) noexcept {
    const std::lock_guard guard(lock_);
    for (unsigned pin = 0; pin < pins; ++pin) {
        std::uint64_t& entry = state_.entries[pin];
        if ((entry & entry_remote_irr) == 0 || (entry & entry_vector) != vector)
            continue;
        entry &= ~entry_remote_irr;
        service(pin);
    }
}

void Ioapic::reset() {
    const std::lock_guard guard(lock_);
    // The inputs are the lines' and not the chip's: those that are asserted stay so.
    const std::uint32_t inputs = state_.inputs;
    state_ = power_on_state();
    state_.inputs = inputs;
    for (unsigned pin = 0; pin < pins; ++pin)
        processors_.watch_level(pin, std::nullopt);
}

void Ioapic::save(StateWriter& writer) const {
    const std::lock_guard guard(lock_);
    const auto& [select, id, inputs, kept_edges, entries] = state_;
    writer.begin("ioapic", 1);
    writer.fields(select, id, inputs, kept_edges, entries);
}

bool Ioapic::is_possible(const State& state) noexcept {
    if ((state.id & ~id_writable) != 0 || ((state.inputs | state.kept_edges) & ~all_pins) != 0)
        return false;
    for (unsigned pin = 0; pin < pins; ++pin) {
        const std::uint64_t entry = state.entries[pin];
        if ((entry & ~(entry_writable | entry_remote_irr)) != 0)
            return false;
        const bool keeps_edge = (state.kept_edges >> pin & 1) != 0;
        if (is_level(entry) ? keeps_edge : (entry & entry_remote_irr) != 0)
            return false;
        if (keeps_edge && (entry & entry_masked) == 0)
            return false;
    }
    return true;
}

void Ioapic::restore(StateReader& reader) {
    State loaded;
    auto& [select, id, inputs, kept_edges, entries] = loaded;
    reader.begin("ioapic", 1);
    reader.fields(select, id, inputs, kept_edges, entries);
    if (!is_possible(loaded))
        throw Error("saved state: ioapic registers hold impossible values", "the file is damaged");
    const std::lock_guard guard(lock_);
    state_ = loaded;
    for (unsigned pin = 0; pin < pins; ++pin)
        watch(pin); // masked entries as well: what they sent may not have ended
}

} // namespace coldstart
