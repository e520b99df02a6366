#include "devices/pic8259/chip.h"

#include "vmm/base/error.h"

namespace coldstart::pic8259 {

namespace {

constexpr std::uint8_t bit(unsigned input) noexcept {
    return static_cast<std::uint8_t>(1u << input);
}

constexpr std::uint8_t without(std::uint8_t set, std::uint8_t bits) noexcept {
    return static_cast<std::uint8_t>(set & ~bits);
}

} // namespace

std::uint8_t Chip::level_inputs() const noexcept {
    // The other chip's INT is a wire that stays until it is served, however it is triggered.
    const std::uint8_t cascade = is_master_ ? bit(cascade_input) : std::uint8_t{0};
    return state_.level_triggered ? std::uint8_t{0xff}
                                  : static_cast<std::uint8_t>(state_.elcr | cascade);
}

std::uint8_t Chip::requests() const noexcept {
    const std::uint8_t levels = level_inputs();
    return static_cast<std::uint8_t>((state_.inputs & levels) | without(state_.edges, levels));
}

void Chip::set_input(unsigned input, bool asserted) noexcept {
    if (asserted && (state_.inputs & bit(input)) == 0)
        state_.edges |= bit(input);
    state_.inputs = asserted ? static_cast<std::uint8_t>(state_.inputs | bit(input))
                             : without(state_.inputs, bit(input));
}

void Chip::set_elcr(std::uint8_t value) noexcept {
    state_.elcr = value & elcr_writable[is_master_ ? 0 : 1];
}

std::optional<unsigned> Chip::first_priority(std::uint8_t set) const noexcept {
    for (unsigned priority = 0; priority < chip_inputs; ++priority) {
        if ((set & bit(input_of(priority))) != 0)
            return priority;
    }
    return std::nullopt;
}

std::optional<unsigned> Chip::request() const noexcept {
    if (state_.init != Init::done)
        return std::nullopt;
    const auto wanted = first_priority(without(requests(), state_.masked));
    if (!wanted)
        return std::nullopt;
    std::uint8_t blocking = state_.in_service;
    if (state_.special_mask)
        blocking = without(blocking, state_.masked);
    if (state_.fully_nested && is_master_)
        blocking = without(blocking, bit(cascade_input)); // the other chip knows its own order
    const auto served = first_priority(blocking);
    if (served && *served <= *wanted)
        return std::nullopt;
    return input_of(*wanted);
}

unsigned Chip::acknowledge() noexcept {
    const auto input = request();
    if (!input)
        return spurious_input;
    state_.edges = without(state_.edges, bit(*input));
    if (!state_.auto_eoi)
        state_.in_service |= bit(*input);
    else if (state_.rotates_on_auto_eoi)
        state_.highest = (*input + 1) % chip_inputs;
    return *input;
}

std::uint8_t Chip::vector(unsigned input) const noexcept {
    return static_cast<std::uint8_t>(state_.vector_base | input);
}

std::uint8_t Chip::read(std::uint64_t port) noexcept {
    if (state_.polled) {
        state_.polled = false;
        const bool any = request().has_value();
        const unsigned input = acknowledge();
        return static_cast<std::uint8_t>(input | (any ? poll_interrupt : 0u));
    }
    if (port == port_mask)
        return state_.masked;
    return state_.reads_in_service ? state_.in_service : requests();
}

void Chip::write(std::uint64_t port, std::uint8_t value) noexcept {
    if (port == port_mask)
        write_mask_port(value);
    else if ((value & icw1) != 0)
        begin_initialisation(value);
    else if ((value & ocw3) != 0)
        choose(value);
    else
        command(value);
}

void Chip::begin_initialisation(std::uint8_t value) noexcept {
    State fresh;
    fresh.inputs = state_.inputs; // the edge detector starts anew: what is high has to fall first
    fresh.elcr = state_.elcr;
    fresh.vector_base = state_.vector_base;
    fresh.init = Init::icw2;
    fresh.needs_icw4 = (value & icw1_needs_icw4) != 0;
    fresh.single = (value & icw1_single) != 0;
    fresh.level_triggered = (value & icw1_level) != 0;
    state_ = fresh;
}

void Chip::write_mask_port(std::uint8_t value) noexcept {
    const Init last = state_.needs_icw4 ? Init::icw4 : Init::done;
    switch (state_.init) {
    case Init::done:
        state_.masked = value;
        return;
    case Init::icw2:
        state_.vector_base = value & icw2_vector;
        state_.init = state_.single ? last : Init::icw3;
        return;
    case Init::icw3: // the board's wires say which input the other chip is at
        state_.init = last;
        return;
    case Init::icw4:
        state_.auto_eoi = (value & icw4_auto_eoi) != 0;
        state_.fully_nested = (value & icw4_fully_nested) != 0;
        state_.init = Init::done;
        return;
    }
}

void Chip::end(unsigned input, bool rotate) noexcept {
    state_.in_service = without(state_.in_service, bit(input));
    if (rotate)
        state_.highest = (input + 1) % chip_inputs;
}

void Chip::command(std::uint8_t value) noexcept {
    const unsigned named = value & ocw2_input;
    const auto what = static_cast<Ocw2>(value >> ocw2_command_shift);
    switch (what) {
    case Ocw2::stop_rotating_on_auto_eoi:
    case Ocw2::rotate_on_auto_eoi:
        state_.rotates_on_auto_eoi = what == Ocw2::rotate_on_auto_eoi;
        return;
    case Ocw2::eoi:
    case Ocw2::eoi_and_rotate: {
        const std::uint8_t ending =
            state_.special_mask ? without(state_.in_service, state_.masked) : state_.in_service;
        if (const auto first = first_priority(ending))
            end(input_of(*first), what == Ocw2::eoi_and_rotate);
        return;
    }
    case Ocw2::eoi_of_input:
    case Ocw2::eoi_of_input_and_rotate:
        end(named, what == Ocw2::eoi_of_input_and_rotate);
        return;
    case Ocw2::set_lowest:
        state_.highest = static_cast<std::uint8_t>((named + 1) % chip_inputs);
        return;
    case Ocw2::nothing:
        return;
    }
}

void Chip::choose(std::uint8_t value) noexcept {
    if ((value & ocw3_poll) != 0)
        state_.polled = true;
    if ((value & ocw3_read_chosen) != 0)
        state_.reads_in_service = (value & ocw3_read_isr) != 0;
    if ((value & ocw3_special_mask_chosen) != 0)
        state_.special_mask = (value & ocw3_special_mask) != 0;
}

void Chip::reset() noexcept {
    const std::uint8_t inputs = state_.inputs;
    state_ = State{};
    state_.inputs = inputs;
}

void Chip::save(StateWriter& writer) const {
    const auto& [inputs, edges, masked, in_service, elcr, vector_base, highest, init, needs_icw4,
                 single, level_triggered, auto_eoi, rotates_on_auto_eoi, fully_nested, special_mask,
                 reads_in_service, polled] = state_;
    writer.fields(inputs, edges, masked, in_service, elcr, vector_base, highest, init, needs_icw4,
                  single, level_triggered, auto_eoi, rotates_on_auto_eoi, fully_nested,
                  special_mask, reads_in_service, polled);
}

bool Chip::is_possible(const State& state) noexcept {
    return state.highest < chip_inputs && state.init <= Init::icw4 &&
           (state.vector_base & ~icw2_vector) == 0;
}

void Chip::restore(StateReader& reader) {
    State loaded;
    auto& [inputs, edges, masked, in_service, elcr, vector_base, highest, init, needs_icw4, single,
           level_triggered, auto_eoi, rotates_on_auto_eoi, fully_nested, special_mask,
           reads_in_service, polled] = loaded;
    reader.fields(inputs, edges, masked, in_service, elcr, vector_base, highest, init, needs_icw4,
                  single, level_triggered, auto_eoi, rotates_on_auto_eoi, fully_nested,
                  special_mask, reads_in_service, polled);
    if (!is_possible(loaded) || (elcr & ~elcr_writable[is_master_ ? 0 : 1]) != 0)
        throw Error("saved state: pic8259 registers hold impossible values", "the file is damaged");
    state_ = loaded;
}

} // namespace coldstart::pic8259
