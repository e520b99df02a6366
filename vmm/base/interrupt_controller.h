// Where interrupt controllers that are devices meet their surroundings: the lines that come in, and
// the processors, whose local APICs are KVM's. Nothing here knows KVM.
//
// All of it is a leaf, as an IrqLine is: it calls no device back, and may be called with a device's
// lock held, from any thread.
#pragma once

#include "vmm/base/irq_router.h"

#include <cstdint>
#include <optional>

namespace coldstart {

/// The inputs of a controller; the board's wiring drives them.
class InterruptInputs {
  public:
    virtual ~InterruptInputs() = default;

    /// The level of input `pin`, asserted or not whatever its polarity is.
    virtual void set_input(unsigned pin, bool asserted) noexcept = 0;
};

/// The IOAPIC as the local APICs see it.
class EndOfInterruptListener {
  public:
    virtual ~EndOfInterruptListener() = default;

    /// A processor has ended a level-triggered interrupt of this vector.
    virtual void end_of_interrupt(std::uint8_t vector) noexcept = 0;
};

/// The 8259s as the processor's INTA cycle sees them.
class InterruptAcknowledger {
  public:
    virtual ~InterruptAcknowledger() = default;

    /// The vector of the interrupt that the processor now takes; a spurious one when the request
    /// has gone meanwhile.
    virtual std::uint8_t acknowledge() noexcept = 0;
};

/// The processors, as the controllers see them.
class ProcessorInterrupts {
  public:
    virtual ~ProcessorInterrupts() = default;

    /// Delivers a message to the local APICs.
    virtual void send(const MsiMessage& message) noexcept = 0;

    /// The IOAPIC's pin sends `message` as a level from now on, and is to hear of its end; nothing:
    /// it sends none.
    virtual void watch_level(unsigned pin, std::optional<MsiMessage> message) noexcept = 0;

    /// The INTR pin of the boot processor, which the 8259s drive.
    virtual void set_intr(bool asserted) noexcept = 0;
};

/// Processors that hear nothing.
class NoProcessors final : public ProcessorInterrupts {
  public:
    void send(const MsiMessage&) noexcept override {}
    void watch_level(unsigned, std::optional<MsiMessage>) noexcept override {}
    void set_intr(bool) noexcept override {}
};

} // namespace coldstart
