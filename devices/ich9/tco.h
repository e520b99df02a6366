// The watchdog of the ICH9 (TCO: total cost of ownership).
// Source: ICH9 data sheet, section 13.9.
//
// The count goes down every 0.6 s from TCO_TMR. At zero it sets TIMEOUT and begins again; at zero a
// second time without a write of TCO_RLD between, it sets SECOND_TO_STS and BOOT_STS, and the
// machine resets unless GCS.NO_REBOOT says no. Here the count stands still from power-on until
// TCO_RLD or TCO1_CNT is written, so that a guest that knows nothing of it has no timer running.
//
// Missing: SMI, NMI and interrupts of the block, intruder detection, status that outlives a reset.
// Threads: the owner's lock guards every call; `on_expiry` comes on the I/O thread without it.
#pragma once

#include "devices/ich9/spec.h"
#include "vmm/base/clock.h"
#include "vmm/base/state_io.h"

#include <cstdint>
#include <functional>
#include <memory>

namespace coldstart {

class TcoWatchdog {
  public:
    struct State {
        std::uint16_t status1 = 0, status2 = 0, control1 = 0;
        std::uint16_t control2 = ich9::tco2_cnt_power_on;
        std::uint16_t initial_count = ich9::tco_count_power_on;
        std::uint8_t data_in = 0, data_out = 0, message1 = 0, message2 = 0, watchdog_control = 0;
        std::uint8_t irq_generate = ich9::tco_irq_gen_power_on;
        bool is_running = false, timed_out_once = false;
        std::uint64_t left_ns = 0; ///< to zero; of a running count filled in by saved()
    };

    /// The owner answers `on_expiry` with expire() under its lock.
    TcoWatchdog(Clock& clock, std::function<void()> on_expiry);

    // `offset` of a doubleword in the block; `mask` has ones where the guest's access has bytes.
    std::uint32_t read(unsigned offset) const noexcept;
    void write(unsigned offset, std::uint32_t mask, std::uint32_t value) noexcept;
    bool is_locked() const noexcept { return (state_.control1 & ich9::tco1_cnt_lock) != 0; }

    /// Does what is due now. True when the machine is to be reset, which `may_reset` allows.
    bool expire(bool may_reset) noexcept;

    void reset() noexcept;
    State saved() const noexcept;
    static bool is_possible(const State& loaded) noexcept;
    void load(const State& loaded) noexcept;

  private:
    bool is_halted() const noexcept { return (state_.control1 & ich9::tco1_cnt_halt) != 0; }
    std::uint64_t left_ns() const noexcept;
    std::uint64_t round_ns() const noexcept { return state_.initial_count * ich9::tco_tick_ns; }
    void run(std::uint64_t left_ns) noexcept;
    void stop() noexcept;
    void reload() noexcept;
    void write_control1(std::uint32_t mask, std::uint32_t value) noexcept;

    Clock& clock_;
    State state_;
    std::uint64_t deadline_ns_ = 0; // of a running count
    std::unique_ptr<Timer> timer_;
};

} // namespace coldstart
