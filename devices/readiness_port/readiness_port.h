// Ports to which a guest writes a line of text when it is ready, or has come to any stage it wants
// the host to know by name.
// Source: ours; README.md says how a guest uses it.
//
// Each byte written to any of the ports is the next one of the line, so that a program that steps
// from port to port (dd of=/dev/port) does as well as one that stays. A newline ends the line; what
// is longer than max_line_bytes is cut there. Byte accesses only; reads are all ones.
// Threads: read and write on any thread, so the sink is called on any vCPU thread too.
#pragma once

#include "devices/core/device.h"

#include <array>
#include <cstdint>
#include <mutex>
#include <span>
#include <string_view>

namespace coldstart {

class ReadinessSink {
  public:
    virtual ~ReadinessSink() = default;
    /// The guest wrote this line, without its end; it may hold any bytes. Must be quick, must not
    /// block and must not allocate: the guest waits.
    virtual void guest_ready(std::string_view line) noexcept = 0;
};

class ReadinessPort final : public Device {
  public:
    static constexpr std::uint64_t ports = 64;
    static constexpr std::size_t max_line_bytes = 128;

    /// `sink` outlives the device.
    explicit ReadinessPort(ReadinessSink& sink) : sink_(sink) {}

    std::string_view type() const noexcept override { return "readiness-port"; }
    std::span<const RegionShape> regions() const noexcept override;

    std::uint64_t read(unsigned, std::uint64_t, unsigned width) noexcept override {
        return all_ones(width);
    }
    void write(unsigned region, std::uint64_t offset, unsigned width,
               std::uint64_t value) noexcept override;

    void reset() override;
    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;

  private:
    struct State {
        std::uint16_t size = 0;
        std::array<std::uint8_t, max_line_bytes> line{};
    };

    ReadinessSink& sink_;
    mutable std::mutex mutex_; // guards what follows
    State state_;
};

} // namespace coldstart
