// POST code port of a PC, usually 0x80: firmware tells its progress in bytes, and a guest that is
// ready, or at any stage it likes, may write one too.
// Source: IBM PC/AT Technical Reference, "Manufacturing test port".
//
// The sink hears of a byte when it differs from the one before, as someone watching the digits of
// a POST card would. Linux and others write any byte here as a delay (outb_p), often and in rows
// of equal bytes; such rows cost an exit and an atomic exchange, no lock and no call.
// Byte accesses only.
// Threads: read and write on any thread, so the sink is called on any vCPU thread too.
#pragma once

#include "devices/core/device.h"
#include "vmm/base/clock.h"

#include <atomic>

namespace coldstart {

class PostCodeSink {
  public:
    virtual ~PostCodeSink() = default;
    /// The port shows `code` since `time_ns` of the clock. Must be quick and must not block: the
    /// guest waits. Several vCPU threads may call at once.
    virtual void post_code(std::uint8_t code, std::uint64_t time_ns) noexcept = 0;
};

class PostPort final : public Device {
  public:
    /// Both outlive the device.
    PostPort(Clock& clock, PostCodeSink& sink) : clock_(clock), sink_(sink) {}

    std::string_view type() const noexcept override { return "post-port"; }
    std::span<const RegionShape> regions() const noexcept override;

    std::uint64_t read(unsigned region, std::uint64_t offset, unsigned width) noexcept override;
    void write(unsigned region, std::uint64_t offset, unsigned width,
               std::uint64_t value) noexcept override;

    void reset() override;
    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;

    /// All writes since power-on, repeats included. Any thread.
    std::uint64_t write_count() const noexcept { return writes_.load(std::memory_order_relaxed); }

  private:
    /// Differs from every byte, so that the first code is news whatever it is.
    static constexpr std::uint16_t nothing_shown = 0x100;

    Clock& clock_;
    PostCodeSink& sink_;
    std::atomic<std::uint16_t> shown_ = nothing_shown;
    std::atomic<std::uint64_t> writes_ = 0;
};

} // namespace coldstart
