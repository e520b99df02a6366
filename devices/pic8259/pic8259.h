// The two 8259A interrupt controllers of a PC, the second one at input 2 of the first, and their
// edge/level control registers.
// Source: Intel 8259A data sheet (231468); ICH9 data sheet sections 13.4 and 5.8.
//
// Simplified: an edge stays latched until it is acknowledged or the chip is initialised, even if
// its input falls before that; the data sheet's chip then answers with the spurious input 7. Lines
// here may be pulses of no length. A request of the second chip that goes away before the INTA
// cycle is spurious input 7 of the first chip.
// Missing: the 8080 mode, buffered mode, and ICW3's choice of another cascade: the wires are fixed.
// Byte accesses only.
//
// Threads: all of it from any thread.
#pragma once

#include "devices/core/device.h"
#include "devices/pic8259/chip.h"
#include "vmm/base/interrupt_controller.h"

#include <mutex>

namespace coldstart {

class Pic8259 final : public Device, public InterruptInputs, public InterruptAcknowledger {
  public:
    explicit Pic8259(ProcessorInterrupts& processors) noexcept : processors_(processors) {}

    std::string_view type() const noexcept override { return "pic8259"; }
    std::span<const RegionShape> regions() const noexcept override;

    std::uint64_t read(unsigned region, std::uint64_t offset, unsigned width) noexcept override;
    void write(unsigned region, std::uint64_t offset, unsigned width,
               std::uint64_t value) noexcept override;

    void set_input(unsigned pin, bool asserted) noexcept override;
    std::uint8_t acknowledge() noexcept override;

    void reset() override;
    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;

  private:
    /// The second chip's INT to the first, and the first one's to the processor.
    void sync() noexcept;

    ProcessorInterrupts& processors_;
    mutable std::mutex lock_; // guards what follows
    pic8259::Chip master_{true}, slave_{false};
    bool intr_ = false; ///< what the processor was told
};

} // namespace coldstart
