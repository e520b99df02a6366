// Debug console: one port at which firmware writes its messages byte by byte. OVMF and SeaBIOS
// use 0x402, Bochs and others 0xe9.
// Source: Bochs user manual, "port_e9_hack"; QEMU's isa-debugcon.
//
// A read answers 0xe9, by which a guest tells that someone listens. The port has no status: what
// the stream does not take at once is lost. Byte accesses only.
// Threads: read and write on any thread; no lock, and no state but the stream's.
#pragma once

#include "devices/core/device.h"
#include "vmm/base/byte_stream.h"

namespace coldstart {

class DebugConsole final : public Device {
  public:
    /// `stream` outlives the device; its input is not read.
    explicit DebugConsole(ByteStream& stream) : stream_(stream) {}

    std::string_view type() const noexcept override { return "debugcon"; }
    std::span<const RegionShape> regions() const noexcept override;

    std::uint64_t read(unsigned region, std::uint64_t offset, unsigned width) noexcept override;
    void write(unsigned region, std::uint64_t offset, unsigned width,
               std::uint64_t value) noexcept override;

    void reset() override {}
    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;

  private:
    ByteStream& stream_;
};

} // namespace coldstart
