// The register core of the NS16550A: registers and FIFOs as the data sheet tells them, without
// locks, time or a host side. Uart16550 is the shell around it.
// Source: National Semiconductor PC16550D data sheet, section 8.
//
// Ignored bits: word length, parity and stop bits change only how long a character lasts, not
// what is carried; the DMA mode. A break sent outside loopback goes nowhere.
// Threads: none of its own; the shell's lock guards it.
#pragma once

#include "devices/uart16550/spec.h"
#include "vmm/base/state_io.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace coldstart::uart16550 {

class Registers {
  public:
    std::uint8_t read(std::uint64_t offset) noexcept;
    void write(std::uint64_t offset, std::uint8_t value) noexcept;

    /// A character off the line; `errors` are LSR bits that travel with it. One that finds no
    /// room is an overrun.
    void receive(std::uint8_t byte, unsigned errors = 0) noexcept;

    /// Free places of the receiver; none in loopback, where the line is cut off.
    std::size_t input_room() const noexcept;
    /// The receiver is connected and has nothing left: time to ask for more.
    bool input_wanted() const noexcept { return !looped() && state_.rx_count == 0; }

    std::size_t output_size() const noexcept { return state_.tx_count; }
    /// Copies what waits for transmission; how many bytes.
    std::size_t copy_output(std::span<std::byte, fifo_bytes> out) const noexcept;
    /// The first `count` waiting bytes are gone.
    void output_taken(std::size_t count) noexcept;

    /// The interrupt output as the PC wires it: gated by OUT2.
    bool interrupt() const noexcept;

    /// Characters wait below the trigger level: a time-out is due four character times after
    /// the last change of activity().
    bool wants_timeout() const noexcept;
    std::uint64_t timeout_ns() const noexcept;
    void timed_out() noexcept { state_.timeout_pending = true; }
    /// Changes with every character received or read.
    std::uint32_t activity() const noexcept { return activity_; }

    void reset() noexcept { state_ = State{}; }
    void save(StateWriter& writer) const;
    void restore(StateReader& reader);

  private:
    struct State {
        std::uint8_t ier = 0, fcr = 0, lcr = 0, mcr = 0, scr = 0;
        std::uint16_t divisor = 12; ///< 9600 baud until programmed
        std::uint8_t modem_deltas = 0;
        bool overrun = false;
        bool thr_empty_pending = false; ///< the THRE interrupt latch
        bool timeout_pending = false;
        std::uint8_t rx_count = 0, tx_count = 0;
        std::array<std::uint8_t, fifo_bytes> rx{}, rx_errors{}, tx{};
    };

    bool fifos() const noexcept { return (state_.fcr & fcr_enable) != 0; }
    bool looped() const noexcept { return (state_.mcr & mcr_loop) != 0; }
    bool dlab() const noexcept { return (state_.lcr & lcr_dlab) != 0; }
    std::size_t capacity() const noexcept { return fifos() ? fifo_bytes : 1; }
    unsigned trigger_level() const noexcept;
    unsigned modem_lines() const noexcept;
    unsigned interrupt_source() const noexcept;

    std::uint8_t read_data() noexcept;
    std::uint8_t read_iir() noexcept;
    std::uint8_t read_lsr() noexcept;
    std::uint8_t read_msr() noexcept;
    void write_data(std::uint8_t value) noexcept;
    void write_ier(std::uint8_t value) noexcept;
    void write_fcr(std::uint8_t value) noexcept;
    void write_lcr(std::uint8_t value) noexcept;
    void write_mcr(std::uint8_t value) noexcept;
    void clear_rx() noexcept;
    void clear_tx() noexcept;

    State state_;
    std::uint32_t activity_ = 0;
};

} // namespace coldstart::uart16550
