// NS16550A serial port, the COM port of a PC, between a guest and a ByteStream.
// Source: National Semiconductor PC16550D data sheet; the wiring of OUT2 is the IBM PC/AT's.
//
// Output goes to the stream at once, whatever the baud rate. When the stream takes no more, up to
// 16 bytes wait in the transmitter and LSR.THRE and LSR.TEMT say so until it does. Input is taken
// only as far as the receiver FIFO has room, so the host loses nothing; the guest does if it
// clears its FIFO. The character time-out follows the programmed baud rate.
//
// Missing: transmission time, modem lines of the host (CTS, DSR and DCD are always on), sending
// breaks, parity errors, DMA. Byte accesses only. OUT2 gates the interrupt in loopback too, where
// the pin of a real chip would be off.
//
// Threads: read and write on any vCPU thread, the ByteSink part on the I/O thread. `output_lock_`
// is taken before `lock_` and keeps output in order; the stream is called with at most
// `output_lock_` held. That relies on two promises of a ByteStream: write() and input_wanted()
// never call the sink on the caller's stack, and the stream holds no lock while it calls the sink.
#pragma once

#include "devices/core/device.h"
#include "devices/uart16550/registers.h"
#include "vmm/base/byte_stream.h"
#include "vmm/base/clock.h"

#include <memory>
#include <mutex>

namespace coldstart {

class Uart16550 final : public Device, private ByteSink {
  public:
    /// All three outlive the device.
    Uart16550(IrqLine& irq, Clock& clock, ByteStream& stream);
    ~Uart16550() override;

    std::string_view type() const noexcept override { return "uart16550"; }
    std::span<const RegionShape> regions() const noexcept override;
    std::span<const LineShape> lines() const noexcept override;
    AcpiDescription acpi() const override;

    std::uint64_t read(unsigned region, std::uint64_t offset, unsigned width) noexcept override;
    void write(unsigned region, std::uint64_t offset, unsigned width,
               std::uint64_t value) noexcept override;

    void start() override;
    void pause() override;
    void resume() override;
    void reset() override;
    void halt() override;
    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;

    struct Counts {
        std::uint64_t read_bytes = 0;    ///< that the host gave
        std::uint64_t written_bytes = 0; ///< that the stream took
    };
    /// Since it was made. Any thread.
    Counts counts() const;

    /// The host sends a break (for Linux: the next byte is a SysRq key). Any thread.
    void receive_break() noexcept;

  private:
    std::size_t input_room() noexcept override;
    void input(ByteView bytes) noexcept override;
    void output_ready() noexcept override;

    void flush_output() noexcept;
    void on_timeout() noexcept;
    void sync() noexcept;

    IrqLine& irq_;
    Clock& clock_;
    ByteStream& stream_;

    mutable std::mutex output_lock_;
    mutable std::mutex lock_; // guards what follows
    uart16550::Registers registers_;
    Counts counts_;
    bool connected_ = false;
    bool paused_ = false;
    bool timeout_armed_ = false;
    std::uint32_t timeout_activity_ = 0; // Registers::activity() when the time-out was armed
    std::uint64_t timeout_deadline_ns_ = 0;

    std::unique_ptr<Timer> timeout_timer_; // last: destroyed first, as its callback uses the rest
};

} // namespace coldstart
