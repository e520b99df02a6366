// An I/O APIC: 24 inputs, each of which becomes a message to the local APICs.
// Source: Intel 82093AA data sheet (290566); the EOI register of version 0x20: ICH9 data sheet,
// section 13.5.
//
// A level-triggered entry sends once, remembers it in Remote IRR, and sends again when the
// interrupt has ended and its input is still asserted. An edge that comes while its entry is
// masked is kept and sent when the guest unmasks, so that none is lost in between; on the data
// sheet's chip it is.
//
// Ignored bits: the polarity of an input (the board's lines say what is asserted), the delivery
// status, which is idle whenever anybody looks, and the physical destination's meaning beyond
// eight bits. An entry of delivery mode ExtINT sends nothing: the 8259s have a wire of their own.
// Registers take 32-bit accesses, the select register bytes and words as well.
//
// Threads: all of it from any thread.
#pragma once

#include "devices/core/device.h"
#include "devices/ioapic/spec.h"
#include "vmm/base/interrupt_controller.h"

#include <array>
#include <mutex>

namespace coldstart {

class Ioapic final : public Device, public InterruptInputs, public EndOfInterruptListener {
  public:
    explicit Ioapic(ProcessorInterrupts& processors);

    std::string_view type() const noexcept override { return "ioapic"; }
    std::span<const RegionShape> regions() const noexcept override;

    std::uint64_t read(unsigned region, std::uint64_t offset, unsigned width) noexcept override;
    void write(unsigned region, std::uint64_t offset, unsigned width,
               std::uint64_t value) noexcept override;

    void set_input(unsigned pin, bool asserted) noexcept override;
    void end_of_interrupt(std::uint8_t vector) noexcept override;

    void reset() override;
    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;

  private:
    struct State {
        std::uint8_t select = 0;
        std::uint32_t id = 0;
        std::uint32_t inputs = 0;     ///< a bit for each that is asserted
        std::uint32_t kept_edges = 0; ///< edges that have not been sent
        std::array<std::uint64_t, ioapic::pins> entries{};
    };

    static State power_on_state() noexcept;
    static bool is_possible(const State& state) noexcept;

    std::uint32_t read_window() const noexcept;
    void write_window(std::uint32_t value) noexcept;
    void write_entry(unsigned pin, std::uint64_t entry) noexcept;
    /// What follows from a change of an entry that is not masked.
    void watch(unsigned pin) noexcept;
    /// Sends what the pin has to send and may.
    void service(unsigned pin) noexcept;

    ProcessorInterrupts& processors_;
    mutable std::mutex lock_; // guards what follows
    State state_;
};

} // namespace coldstart
