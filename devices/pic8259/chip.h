// One 8259A: what its registers and its inputs make of each other. No lock, no output wire.
// Source: Intel 8259A data sheet (231468).
// Threads: one at a time, the owner's lock held.
#pragma once

#include "devices/pic8259/spec.h"
#include "vmm/base/state_io.h"

#include <cstdint>
#include <optional>

namespace coldstart::pic8259 {

class Chip {
  public:
    explicit Chip(bool is_master) noexcept : is_master_(is_master) {}

    void set_input(unsigned input, bool asserted) noexcept;
    std::uint8_t elcr() const noexcept { return state_.elcr; }
    void set_elcr(std::uint8_t value) noexcept;

    std::uint8_t read(std::uint64_t port) noexcept;
    void write(std::uint64_t port, std::uint8_t value) noexcept;

    /// The input that INT is raised for; nothing: INT is low.
    std::optional<unsigned> request() const noexcept;
    /// An INTA cycle: the request, or the spurious input, goes into service.
    unsigned acknowledge() noexcept;
    std::uint8_t vector(unsigned input) const noexcept;

    /// All but the levels of the inputs.
    void reset() noexcept;
    void save(StateWriter& writer) const;
    /// Throws Error.
    void restore(StateReader& reader);

  private:
    enum class Init : std::uint8_t { done, icw2, icw3, icw4 };

    struct State {
        std::uint8_t inputs = 0; ///< levels
        std::uint8_t edges = 0;  ///< latched, of inputs that are edge-triggered
        std::uint8_t masked = 0;
        std::uint8_t in_service = 0;
        std::uint8_t elcr = 0;
        std::uint8_t vector_base = 0;
        std::uint8_t highest = 0; ///< input of the highest priority; those after it follow
        Init init = Init::done;
        bool needs_icw4 = false, single = false, level_triggered = false;
        bool auto_eoi = false, rotates_on_auto_eoi = false, fully_nested = false;
        bool special_mask = false, reads_in_service = false, polled = false;
    };

    static bool is_possible(const State& state) noexcept;

    std::uint8_t level_inputs() const noexcept;
    std::uint8_t requests() const noexcept;
    /// Of the inputs of `set`, the priority (0 is highest) and the input of the first.
    std::optional<unsigned> first_priority(std::uint8_t set) const noexcept;
    unsigned input_of(unsigned priority) const noexcept {
        return (state_.highest + priority) % chip_inputs;
    }

    void begin_initialisation(std::uint8_t icw1) noexcept;
    void write_mask_port(std::uint8_t value) noexcept;
    void command(std::uint8_t ocw2) noexcept;
    void choose(std::uint8_t ocw3) noexcept;
    void end(unsigned input, bool rotate) noexcept;

    bool is_master_;
    State state_;
};

} // namespace coldstart::pic8259
