// System management mode as devices see it: the mode of firmware's own, which a chipset enters by
// an interrupt (SMI) and whose memory (SMRAM) nobody else may touch. A machine on which the host
// can't run it has none of this.
// Source: Intel SDM vol. 3 chapter 32; 3 Series Express Chipset data sheet, section 5.1.33 (D_LCK).
#pragma once

#include <atomic>
#include <cstdint>

namespace coldstart {

enum class SmiTarget : std::uint8_t { this_processor, all_processors };

class SystemManagement {
  public:
    virtual ~SystemManagement() = default;

    /// The processor whose access is being handled, or every one, enters the mode before its next
    /// instruction. Any thread; from one that is no processor's, this_processor is the first. A
    /// leaf: a device may hold its lock.
    virtual void raise_smi(SmiTarget target) noexcept = 0;

    /// Whether SMRAM is locked: from then until a reset what firmware keeps for itself, such as
    /// the flash with its variables, is for the mode alone. Any thread.
    bool is_locked() const noexcept { return locked_.load(std::memory_order_acquire); }
    void set_locked(bool locked) noexcept { locked_.store(locked, std::memory_order_release); }

  private:
    std::atomic<bool> locked_{false};
};

} // namespace coldstart
