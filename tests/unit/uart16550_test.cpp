#include "devices/uart16550/uart16550.h"
#include "tests/fakes/fake_byte_stream.h"
#include "tests/fakes/fakes.h"

#include <catch2/catch.hpp>

using namespace coldstart;
using namespace coldstart::uart16550;

namespace {

struct Port {
    Port() { uart.start(); }

    unsigned in(std::uint64_t offset) { return static_cast<unsigned>(uart.read(0, offset, 1)); }
    void out(std::uint64_t offset, unsigned value) { uart.write(0, offset, 1, value); }
    void enable_interrupts(unsigned ier) {
        out(reg_mcr, mcr_out2);
        out(reg_ier, ier);
    }

    fakes::FakeIrqLine irq;
    fakes::FakeClock clock;
    fakes::FakeByteStream stream;
    Uart16550 uart{irq, clock, stream};
};

/// Four characters of 8N1 at 115200 baud, in ns, rounded down.
constexpr std::uint64_t timeout_115200_ns = 4 * 10 * 1'000'000'000ull / 115'200;

void set_115200_8n1(Port& port) {
    port.out(reg_lcr, lcr_dlab | 3);
    port.out(reg_data, 1);
    port.out(reg_ier, 0);
    port.out(reg_lcr, 3);
}

} // namespace

TEST_CASE("uart: power-on values and the divisor latch", "[uart]") {
    Port port;
    CHECK(port.in(reg_lsr) == (lsr_thr_empty | lsr_tx_empty));
    CHECK(port.in(reg_iir) == iir_none);
    CHECK(port.in(reg_msr) == (msr_cts | msr_dsr | msr_dcd));
    CHECK(port.in(reg_ier) == 0);
    CHECK(port.in(reg_mcr) == 0);

    port.out(reg_lcr, lcr_dlab);
    port.out(reg_data, 0x34);
    port.out(reg_ier, 0x12);
    CHECK(port.in(reg_data) == 0x34);
    CHECK(port.in(reg_ier) == 0x12);
    port.out(reg_lcr, 3);
    CHECK(port.in(reg_ier) == 0);
    CHECK(port.stream.written().empty());
    port.out(reg_scr, 0x5a);
    CHECK(port.in(reg_scr) == 0x5a);
}

TEST_CASE("uart: output reaches the stream at once and in order", "[uart]") {
    Port port;
    for (const char c : std::string_view("hello"))
        port.out(reg_data, static_cast<unsigned char>(c));
    CHECK(port.stream.written() == "hello");
    CHECK((port.in(reg_lsr)&lsr_thr_empty) != 0);
}

TEST_CASE("uart: Linux finds a 16550A and no other chip", "[uart]") {
    // drivers/tty/serial/8250/8250_port.c, autoconfig and autoconfig_16550a.
    Port port;
    port.out(reg_ier, 0);
    CHECK((port.in(reg_ier)&0x0f) == 0);
    port.out(reg_ier, 0x0f);
    CHECK((port.in(reg_ier)&0x0f) == 0x0f);
    port.out(reg_ier, 0);
    port.out(reg_mcr, mcr_loop | 0x0a);
    CHECK((port.in(reg_msr)&0xf0) == 0x90);
    port.out(reg_mcr, 0);

    port.out(reg_lcr, 0xbf); // EFR of bigger chips: must not be there
    port.out(2, 0);
    port.out(reg_lcr, 0);
    port.out(reg_fcr, fcr_enable);
    CHECK(port.in(reg_iir) >> 6 == 3);
    for (unsigned lcr : {0x80u, 0xbfu}) {
        port.out(reg_lcr, lcr);
        CHECK(port.in(2) != 0); // a zero would be an EFR
    }
    port.out(reg_lcr, 0);
    port.out(reg_fcr, fcr_enable | 0x20); // 64-byte FIFO of the 16750
    CHECK(port.in(reg_iir) >> 5 == 6);
    port.out(reg_ier, 0x40); // UUE of the XScale
    CHECK(port.in(reg_ier) == 0);

    // size_fifo: what goes around in loopback before it overruns.
    port.out(reg_fcr, fcr_enable | fcr_clear_rx | fcr_clear_tx);
    port.out(reg_mcr, mcr_loop);
    for (unsigned i = 0; i < 256; ++i)
        port.out(reg_data, i);
    unsigned size = 0;
    for (; (port.in(reg_lsr)&lsr_data_ready) != 0 && size < 256; ++size)
        CHECK(port.in(reg_data) == size);
    CHECK(size == fifo_bytes);
    CHECK(port.stream.written().empty());
}

TEST_CASE("uart: the THRE interrupt passes Linux's start-up tests", "[uart]") {
    Port port;
    port.out(reg_mcr, mcr_out2);
    // serial8250_do_startup: the interrupt must come back when it is enabled a second time.
    port.out(reg_ier, ier_thr_empty);
    CHECK(port.irq.level);
    CHECK(port.in(reg_iir) == iir_thr_empty);
    CHECK_FALSE(port.irq.level); // acknowledged by the read
    CHECK(port.in(reg_iir) == iir_none);
    port.out(reg_ier, 0);
    port.out(reg_ier, ier_thr_empty);
    CHECK(port.irq.level);
    port.out(reg_ier, ier_thr_empty); // no change, no loss
    CHECK(port.in(reg_iir) == iir_thr_empty);

    // Each byte sent raises it anew, with an edge for edge-triggered inputs.
    const unsigned edges = port.irq.rising_edges;
    port.out(reg_data, 'a');
    CHECK(port.irq.rising_edges == edges + 1);
    port.out(reg_data, 'b');
    CHECK(port.irq.rising_edges == edges + 2);
    CHECK(port.in(reg_iir) == iir_thr_empty);
}

TEST_CASE("uart: interrupt priorities, and what acknowledges each", "[uart]") {
    Port port;
    port.out(reg_mcr, mcr_out2 | mcr_loop);
    port.out(reg_mcr, mcr_out2); // leaving loopback changes modem lines
    port.uart.receive_break();
    port.enable_interrupts(ier_mask);

    CHECK(port.in(reg_iir) == iir_line_status);
    CHECK(port.in(reg_lsr) ==
          (lsr_data_ready | lsr_break | lsr_framing_error | lsr_thr_empty | lsr_tx_empty));
    CHECK(port.in(reg_iir) == iir_rx_data);
    CHECK(port.in(reg_iir) == iir_rx_data); // reading IIR does not acknowledge this one,
    CHECK(port.in(reg_data) == 0);
    CHECK(port.in(reg_iir) == iir_thr_empty); // but this one
    CHECK(port.in(reg_iir) == iir_modem_status);
    CHECK(port.irq.level);
    CHECK((port.in(reg_msr)&msr_deltas) != 0);
    CHECK(port.in(reg_iir) == iir_none);
    CHECK_FALSE(port.irq.level);
    CHECK((port.in(reg_msr)&msr_deltas) == 0);
}

TEST_CASE("uart: OUT2 connects the interrupt", "[uart]") {
    Port port;
    port.out(reg_ier, ier_rx_data);
    port.stream.type("x");
    CHECK(port.in(reg_iir) == iir_rx_data);
    CHECK_FALSE(port.irq.level);
    port.out(reg_mcr, mcr_out2);
    CHECK(port.irq.level);
    port.out(reg_mcr, 0);
    CHECK_FALSE(port.irq.level);
}

TEST_CASE("uart: the receiver FIFO interrupts at its trigger level", "[uart]") {
    constexpr std::array<unsigned, 4> levels = {1, 4, 8, 14};
    for (unsigned i = 0; i < levels.size(); ++i) {
        Port port;
        port.enable_interrupts(ier_rx_data);
        port.out(reg_fcr, fcr_enable | i << fcr_trigger_shift);
        for (unsigned sent = 1; sent < levels[i]; ++sent) {
            CHECK(port.stream.type("a") == 1);
            CHECK_FALSE(port.irq.level);
        }
        port.stream.type("a");
        CHECK(port.irq.level);
        CHECK(port.in(reg_iir) == (iir_rx_data | iir_fifos_enabled));
        port.in(reg_data);
        CHECK_FALSE(port.irq.level); // one below the trigger
    }
}

TEST_CASE("uart: characters below the trigger time out after four character times", "[uart]") {
    Port port;
    set_115200_8n1(port);
    port.enable_interrupts(ier_rx_data);
    port.out(reg_fcr, fcr_enable | 3u << fcr_trigger_shift);
    port.stream.type("ab");
    port.clock.advance(timeout_115200_ns - 1);
    CHECK_FALSE(port.irq.level);
    port.stream.type("c"); // each character starts the wait anew
    port.clock.advance(timeout_115200_ns - 1);
    CHECK_FALSE(port.irq.level);
    port.clock.advance(2);
    CHECK(port.irq.level);
    CHECK(port.in(reg_iir) == (iir_rx_timeout | iir_fifos_enabled));

    CHECK(port.in(reg_data) == 'a'); // acknowledges, and the rest waits again
    CHECK_FALSE(port.irq.level);
    port.clock.advance(timeout_115200_ns + 1);
    CHECK(port.irq.level);
    CHECK(port.in(reg_data) == 'b');
    CHECK(port.in(reg_data) == 'c');
    port.clock.advance(10 * timeout_115200_ns);
    CHECK_FALSE(port.irq.level);

    // Slower lines wait longer: 300 baud, 8E2.
    port.out(reg_lcr, lcr_dlab);
    port.out(reg_data, 384 & 0xff);
    port.out(reg_ier, 384 >> 8);
    port.out(reg_lcr, 3 | lcr_parity | lcr_two_stop_bits);
    port.stream.type("d");
    port.clock.advance(4 * 12 * 1'000'000'000ull / 300 - 1);
    CHECK_FALSE(port.irq.level);
    port.clock.advance(2);
    CHECK(port.irq.level);
}

TEST_CASE("uart: no time-out while the interrupt is off or the FIFO cleared", "[uart]") {
    Port port;
    set_115200_8n1(port);
    port.out(reg_mcr, mcr_out2);
    port.out(reg_fcr, fcr_enable | 3u << fcr_trigger_shift);
    port.stream.type("a");
    port.clock.advance(1'000'000'000);
    CHECK(port.in(reg_iir) == (iir_none | iir_fifos_enabled));
    port.out(reg_ier, ier_rx_data);
    CHECK_FALSE(port.irq.level);
    port.clock.advance(timeout_115200_ns + 1);
    CHECK(port.irq.level);
    port.out(reg_fcr, fcr_enable | fcr_clear_rx | 3u << fcr_trigger_shift);
    CHECK_FALSE(port.irq.level);
    CHECK((port.in(reg_lsr)&lsr_data_ready) == 0);
}

TEST_CASE("uart: the host offers only what fits and is asked for more", "[uart]") {
    Port port;
    const std::string text = "0123456789abcdefghij";
    CHECK(port.stream.type(text) == 1); // no FIFO yet
    port.out(reg_fcr, fcr_enable);      // clears it
    unsigned wanted = port.stream.wanted;
    CHECK(port.stream.type(text) == fifo_bytes);
    CHECK(port.stream.type(text) == 0);
    std::string received;
    while ((port.in(reg_lsr)&lsr_data_ready) != 0) {
        CHECK(port.stream.wanted == wanted);
        received += static_cast<char>(port.in(reg_data));
    }
    CHECK(received == text.substr(0, fifo_bytes));
    CHECK(port.stream.wanted == wanted + 1);
    CHECK((port.in(reg_lsr)&lsr_overrun) == 0);

    port.out(reg_mcr, mcr_loop); // the line is cut off: nothing fits
    CHECK(port.stream.type(text) == 0);
    wanted = port.stream.wanted;
    port.out(reg_mcr, 0);
    CHECK(port.stream.wanted == wanted + 1);
    port.uart.pause();
    CHECK(port.stream.type(text) == 0);
    port.uart.resume();
    CHECK(port.stream.wanted == wanted + 2);
}

TEST_CASE("uart: a full stream fills the transmitter and THRE says so", "[uart]") {
    Port port;
    port.enable_interrupts(ier_thr_empty);
    port.out(reg_fcr, fcr_enable);
    port.in(reg_iir);
    port.stream.set_room(2);
    for (const char c : std::string_view("abcdefghijklmnopqrstuvwxyz"))
        port.out(reg_data, static_cast<unsigned char>(c));
    CHECK(port.stream.written() == "ab");
    CHECK((port.in(reg_lsr) & (lsr_thr_empty | lsr_tx_empty)) == 0);
    CHECK_FALSE(port.irq.level);

    ByteSink* const sink = port.stream.sink;
    REQUIRE(sink != nullptr);
    port.stream.set_room(3);
    sink->output_ready();
    CHECK(port.stream.written() == "abcde");
    CHECK_FALSE(port.irq.level);
    port.stream.set_room(100);
    sink->output_ready();
    // 16 fitted after the two that went through; the driver ignored THRE for the others.
    CHECK(port.stream.written() == "abcdefghijklmnopqr");
    CHECK((port.in(reg_lsr)&lsr_tx_empty) != 0);
    CHECK(port.irq.level);
    CHECK(port.in(reg_iir) == (iir_thr_empty | iir_fifos_enabled));
}

TEST_CASE("uart: clearing the transmitter FIFO drops what waits there", "[uart]") {
    Port port;
    port.enable_interrupts(ier_thr_empty);
    port.out(reg_fcr, fcr_enable);
    port.stream.set_room(0);
    port.out(reg_data, 'a');
    CHECK_FALSE(port.irq.level);
    port.out(reg_fcr, fcr_enable | fcr_clear_tx);
    CHECK((port.in(reg_lsr)&lsr_thr_empty) != 0);
    CHECK(port.irq.level);
    port.stream.set_room(100);
    static_cast<ByteSink*>(port.stream.sink)->output_ready();
    CHECK(port.stream.written().empty());
}

TEST_CASE("uart: output that waits survives a snapshot", "[uart]") {
    Port source, target;
    source.out(reg_fcr, fcr_enable);
    source.stream.set_room(0);
    source.out(reg_data, 'x');
    source.out(reg_data, 'y');
    StateWriter writer;
    source.uart.save(writer);
    StateReader reader(writer.bytes());
    target.uart.restore(reader);
    CHECK((target.in(reg_lsr)&lsr_thr_empty) == 0);
    target.uart.resume();
    CHECK(target.stream.written() == "xy");
}

TEST_CASE("uart: loopback turns outputs into inputs", "[uart]") {
    Port port;
    port.out(reg_fcr, fcr_enable);
    port.out(reg_mcr, mcr_loop);
    port.in(reg_msr);
    port.out(reg_mcr, mcr_loop | mcr_rts);
    CHECK(port.in(reg_msr) == (msr_cts | msr_delta_cts));
    port.out(reg_mcr, mcr_loop | mcr_dtr | mcr_out1);
    CHECK(port.in(reg_msr) == (msr_dsr | msr_ring | msr_delta_cts | msr_delta_dsr));
    port.out(reg_mcr, mcr_loop); // RI counts when it ends only
    CHECK(port.in(reg_msr) == (msr_delta_dsr | msr_ring_ended));

    port.out(reg_data, 'q');
    CHECK(port.in(reg_lsr) == (lsr_data_ready | lsr_thr_empty | lsr_tx_empty));
    CHECK(port.in(reg_data) == 'q');
    port.out(reg_lcr, lcr_break);
    CHECK(port.in(reg_lsr) == (lsr_data_ready | lsr_framing_error | lsr_break | lsr_thr_empty |
                               lsr_tx_empty | lsr_fifo_error));
    CHECK(port.stream.written().empty());
}

TEST_CASE("uart: errors stand at their character, an overrun at once", "[uart]") {
    Port port;
    port.out(reg_fcr, fcr_enable);
    port.stream.type("a");
    port.uart.receive_break();
    const unsigned idle = lsr_data_ready | lsr_thr_empty | lsr_tx_empty;
    CHECK(port.in(reg_lsr) == (idle | lsr_fifo_error)); // somewhere below the top
    CHECK(port.in(reg_data) == 'a');
    CHECK(port.in(reg_lsr) == (idle | lsr_fifo_error | lsr_break | lsr_framing_error));
    CHECK(port.in(reg_lsr) == idle);
    CHECK(port.in(reg_data) == 0);

    port.stream.type("0123456789abcdef");
    port.uart.receive_break(); // no room: the FIFO keeps what it has
    CHECK(port.in(reg_lsr) == (idle | lsr_overrun));
    CHECK(port.in(reg_lsr) == idle);
    CHECK(port.in(reg_data) == '0');

    port.out(reg_fcr, 0); // without FIFO the newer character replaces the older
    port.stream.type("a");
    port.uart.receive_break();
    CHECK(port.in(reg_lsr) == (idle | lsr_overrun | lsr_break | lsr_framing_error));
    CHECK(port.in(reg_data) == 0);
    CHECK((port.in(reg_lsr)&lsr_data_ready) == 0);
}

TEST_CASE("uart: the stream is let go at the end", "[uart]") {
    fakes::FakeIrqLine irq;
    fakes::FakeClock clock;
    fakes::FakeByteStream stream;
    {
        Uart16550 uart(irq, clock, stream);
        CHECK(stream.sink == nullptr);
        uart.start();
        CHECK(stream.sink != nullptr);
    }
    CHECK(stream.sink == nullptr);
}
