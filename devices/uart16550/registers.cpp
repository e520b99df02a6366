#include "devices/uart16550/registers.h"

#include "vmm/base/error.h"

#include <algorithm>

namespace coldstart::uart16550 {
namespace {

std::uint8_t low_byte(unsigned value) noexcept {
    return static_cast<std::uint8_t>(value);
}

} // namespace

std::uint8_t Registers::read(std::uint64_t offset) noexcept {
    switch (offset) {
    case reg_data:
        return dlab() ? low_byte(state_.divisor) : read_data();
    case reg_ier:
        return dlab() ? low_byte(state_.divisor >> 8u) : state_.ier;
    case reg_iir:
        return read_iir();
    case reg_lcr:
        return state_.lcr;
    case reg_mcr:
        return state_.mcr;
    case reg_lsr:
        return read_lsr();
    case reg_msr:
        return read_msr();
    case reg_scr:
        return state_.scr;
    default:
        return 0xff;
    }
}

void Registers::write(std::uint64_t offset, std::uint8_t value) noexcept {
    switch (offset) {
    case reg_data:
        if (dlab())
            state_.divisor = static_cast<std::uint16_t>((state_.divisor & 0xff00u) | value);
        else
            write_data(value);
        break;
    case reg_ier:
        if (dlab())
            state_.divisor =
                static_cast<std::uint16_t>((state_.divisor & 0xffu) | unsigned{value} << 8u);
        else
            write_ier(value);
        break;
    case reg_fcr:
        write_fcr(value);
        break;
    case reg_lcr:
        write_lcr(value);
        break;
    case reg_mcr:
        write_mcr(value);
        break;
    case reg_scr:
        state_.scr = value;
        break;
    default:
        break;
    }
}

void Registers::receive(std::uint8_t byte, unsigned errors) noexcept {
    ++activity_;
    if (state_.rx_count == capacity()) {
        state_.overrun = true;
        // A full FIFO keeps what it has; the lone RBR of FIFO-less mode is overwritten.
        if (fifos())
            return;
        state_.rx_count = 0;
    }
    state_.rx[state_.rx_count] = byte;
    state_.rx_errors[state_.rx_count] = low_byte(errors & lsr_char_errors);
    ++state_.rx_count;
}

std::size_t Registers::input_room() const noexcept {
    return looped() ? 0 : capacity() - state_.rx_count;
}

std::size_t Registers::copy_output(std::span<std::byte, fifo_bytes> out) const noexcept {
    for (std::size_t i = 0; i < state_.tx_count; ++i)
        out[i] = std::byte{state_.tx[i]};
    return state_.tx_count;
}

void Registers::output_taken(std::size_t count) noexcept {
    count = std::min<std::size_t>(count, state_.tx_count);
    if (count == 0)
        return;
    std::copy(state_.tx.begin() + static_cast<std::ptrdiff_t>(count),
              state_.tx.begin() + state_.tx_count, state_.tx.begin());
    state_.tx_count = static_cast<std::uint8_t>(state_.tx_count - count);
    if (state_.tx_count == 0)
        state_.thr_empty_pending = true;
}

unsigned Registers::trigger_level() const noexcept {
    constexpr std::array<unsigned, 4> levels = {1, 4, 8, 14};
    return fifos() ? levels[state_.fcr >> fcr_trigger_shift] : 1;
}

unsigned Registers::modem_lines() const noexcept {
    if (!looped())
        return msr_cts | msr_dsr | msr_dcd; // a host that is always there and always ready
    return ((state_.mcr & mcr_rts) != 0 ? msr_cts : 0) |
           ((state_.mcr & mcr_dtr) != 0 ? msr_dsr : 0) |
           ((state_.mcr & mcr_out1) != 0 ? msr_ring : 0) |
           ((state_.mcr & mcr_out2) != 0 ? msr_dcd : 0);
}

unsigned Registers::interrupt_source() const noexcept {
    const bool has_data = state_.rx_count != 0;
    if ((state_.ier & ier_line_status) != 0 &&
        (state_.overrun || (has_data && state_.rx_errors[0] != 0)))
        return iir_line_status;
    if ((state_.ier & ier_rx_data) != 0) {
        if (state_.rx_count >= trigger_level())
            return iir_rx_data;
        if (state_.timeout_pending)
            return iir_rx_timeout;
    }
    if ((state_.ier & ier_thr_empty) != 0 && state_.thr_empty_pending)
        return iir_thr_empty;
    if ((state_.ier & ier_modem_status) != 0 && state_.modem_deltas != 0)
        return iir_modem_status;
    return iir_none;
}

bool Registers::interrupt() const noexcept {
    return (state_.mcr & mcr_out2) != 0 && interrupt_source() != iir_none;
}

bool Registers::wants_timeout() const noexcept {
    return fifos() && (state_.ier & ier_rx_data) != 0 && !state_.timeout_pending &&
           state_.rx_count != 0 && state_.rx_count < trigger_level();
}

std::uint64_t Registers::timeout_ns() const noexcept {
    const unsigned lcr = state_.lcr;
    const unsigned char_bits = 1 + 5 + (lcr & lcr_word_length) + ((lcr & lcr_parity) != 0 ? 1 : 0) +
                               ((lcr & lcr_two_stop_bits) != 0 ? 2 : 1);
    const std::uint64_t divisor = std::max<std::uint64_t>(state_.divisor, 1);
    // At most 4 * 12 * 65535 * 16e9 = 5e16: no overflow.
    return std::uint64_t{4} * char_bits * divisor * 16'000'000'000 / crystal_hz;
}

std::uint8_t Registers::read_data() noexcept {
    state_.timeout_pending = false;
    if (state_.rx_count == 0)
        return 0;
    ++activity_;
    const std::uint8_t byte = state_.rx[0];
    std::copy(state_.rx.begin() + 1, state_.rx.end(), state_.rx.begin());
    std::copy(state_.rx_errors.begin() + 1, state_.rx_errors.end(), state_.rx_errors.begin());
    --state_.rx_count;
    return byte;
}

std::uint8_t Registers::read_iir() noexcept {
    const unsigned source = interrupt_source();
    // Reading IIR acknowledges the THRE interrupt, and only when it is the one reported.
    if (source == iir_thr_empty)
        state_.thr_empty_pending = false;
    return low_byte(source | (fifos() ? iir_fifos_enabled : 0));
}

std::uint8_t Registers::read_lsr() noexcept {
    unsigned status = 0;
    if (state_.tx_count == 0)
        status |= lsr_thr_empty | lsr_tx_empty;
    if (state_.overrun)
        status |= lsr_overrun;
    if (state_.rx_count != 0) {
        status |= lsr_data_ready | state_.rx_errors[0];
        const auto end = state_.rx_errors.begin() + state_.rx_count;
        if (fifos() && std::any_of(state_.rx_errors.begin(), end, [](auto e) { return e != 0; }))
            status |= lsr_fifo_error;
        state_.rx_errors[0] = 0;
    }
    state_.overrun = false;
    return low_byte(status);
}

std::uint8_t Registers::read_msr() noexcept {
    const unsigned status = modem_lines() | state_.modem_deltas;
    state_.modem_deltas = 0;
    return low_byte(status);
}

void Registers::write_data(std::uint8_t value) noexcept {
    state_.thr_empty_pending = false;
    if (looped()) {
        receive(value);
        state_.thr_empty_pending = state_.tx_count == 0;
        return;
    }
    // A driver that writes without looking at THRE loses the byte, as on hardware.
    if (state_.tx_count < capacity())
        state_.tx[state_.tx_count++] = value;
}

void Registers::write_ier(std::uint8_t value) noexcept {
    const unsigned raised = value & ~unsigned{state_.ier};
    state_.ier = low_byte(value & ier_mask);
    // Enabling the THRE interrupt while THR is empty raises it: what drivers start output with.
    if ((raised & ier_thr_empty) != 0 && state_.tx_count == 0)
        state_.thr_empty_pending = true;
}

void Registers::write_fcr(std::uint8_t value) noexcept {
    const bool toggled = ((state_.fcr ^ value) & fcr_enable) != 0;
    const bool enable = (value & fcr_enable) != 0;
    // The other bits count only together with the enable bit; toggling that clears both FIFOs.
    if (toggled || (enable && (value & fcr_clear_rx) != 0))
        clear_rx();
    if (toggled || (enable && (value & fcr_clear_tx) != 0))
        clear_tx();
    state_.fcr = enable ? low_byte(value & fcr_kept) : std::uint8_t{0};
}

void Registers::write_lcr(std::uint8_t value) noexcept {
    const bool break_begins = (value & ~unsigned{state_.lcr} & lcr_break) != 0;
    state_.lcr = value;
    if (break_begins && looped())
        receive(0, lsr_break | lsr_framing_error);
}

void Registers::write_mcr(std::uint8_t value) noexcept {
    const unsigned before = modem_lines();
    state_.mcr = low_byte(value & mcr_mask);
    const unsigned after = modem_lines();
    const unsigned changed = before ^ after;
    unsigned deltas = state_.modem_deltas;
    deltas |= (changed & (msr_cts | msr_dsr | msr_dcd)) >> 4u;
    if ((before & ~after & msr_ring) != 0)
        deltas |= msr_ring_ended;
    state_.modem_deltas = low_byte(deltas);
}

void Registers::clear_rx() noexcept {
    state_.rx_count = 0;
    state_.rx_errors = {};
    state_.timeout_pending = false;
}

void Registers::clear_tx() noexcept {
    if (state_.tx_count == 0)
        return;
    state_.tx_count = 0;
    state_.thr_empty_pending = true;
}

void Registers::save(StateWriter& writer) const {
    const auto& [ier, fcr, lcr, mcr, scr, divisor, modem_deltas, overrun, thr_empty_pending,
                 timeout_pending, rx_count, tx_count, rx, rx_errors, tx] = state_;
    writer.begin("uart16550", 1);
    writer.fields(ier, fcr, lcr, mcr, scr, divisor, modem_deltas, overrun, thr_empty_pending,
                  timeout_pending, rx_count, tx_count, rx, rx_errors, tx);
}

void Registers::restore(StateReader& reader) {
    State loaded;
    auto& [ier, fcr, lcr, mcr, scr, divisor, modem_deltas, overrun, thr_empty_pending,
           timeout_pending, rx_count, tx_count, rx, rx_errors, tx] = loaded;
    reader.begin("uart16550", 1);
    reader.fields(ier, fcr, lcr, mcr, scr, divisor, modem_deltas, overrun, thr_empty_pending,
                  timeout_pending, rx_count, tx_count, rx, rx_errors, tx);
    const std::size_t room = (fcr & fcr_enable) != 0 ? fifo_bytes : 1;
    const bool errors_known = std::all_of(rx_errors.begin(), rx_errors.end(), [](unsigned errors) {
        return (errors & ~lsr_char_errors) == 0;
    });
    if ((ier & ~ier_mask) != 0 || (fcr & ~fcr_kept) != 0 || (mcr & ~mcr_mask) != 0 ||
        (modem_deltas & ~msr_deltas) != 0 || rx_count > room || tx_count > room || !errors_known)
        throw Error("saved state: uart16550 registers hold impossible values",
                    "the file is damaged");
    state_ = loaded;
    ++activity_;
}

} // namespace coldstart::uart16550
