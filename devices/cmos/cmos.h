// Real-time clock and CMOS RAM of a PC: MC146818A at an index and a data port.
// Source: Motorola MC146818A data sheet; ICH9 data sheet section 5.13 for the PC's view of it.
//
// The time follows the host's wall clock, from the difference on the guest has set. Nothing runs
// while nobody looks: an access works out what happened since the last one, and a timer is armed
// only for an enabled interrupt whose flag is clear. Updates happen at once at the end of the UIP
// window. Leaving divider reset puts the next update half a second later, as on hardware: Linux
// sets the clock that way.
//
// reset() is a power-on with a good battery: time, date and RAM stay, the rest starts anew.
//
// The second bank, registers 128 to 255 at a pair of ports of its own (0x72, 0x73), is plain RAM
// and there when the options say so.
//
// Missing: square wave output, daylight saving, masking NMI (the bit is kept, without effect). Byte
// accesses only; the index ports read as all ones, as on chipsets.
// Threads: read, write and save on any thread; the timer on the I/O thread.
#pragma once

#include "devices/cmos/calendar.h"
#include "devices/cmos/spec.h"
#include "devices/core/device.h"
#include "vmm/base/clock.h"

#include <array>
#include <memory>
#include <mutex>
#include <span>
#include <utility>

namespace coldstart {

struct CmosOptions {
    /// (register, value) pairs the RAM starts with, such as the memory sizes SeaBIOS reads
    /// (pc_contents.h). Clock registers (0x00 to 0x0d and the century) are not settable, nor are
    /// those of a bank that is not there: Error.
    std::span<const std::pair<std::uint8_t, std::uint8_t>> nvram = {};
    bool extended_bank = false;
};

class Cmos final : public Device {
  public:
    Cmos(IrqLine& irq, Clock& clock, const CmosOptions& options = {});

    std::string_view type() const noexcept override { return "cmos"; }
    std::span<const RegionShape> regions() const noexcept override;
    std::span<const LineShape> lines() const noexcept override;
    AcpiDescription acpi() const override;

    std::uint64_t read(unsigned region, std::uint64_t offset, unsigned width) noexcept override;
    void write(unsigned region, std::uint64_t offset, unsigned width,
               std::uint64_t value) noexcept override;

    void start() override { resume(); }
    void resume() override;
    void reset() override;
    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;

  private:
    struct State {
        std::uint8_t index = 0;
        std::array<std::uint8_t, cmos::ram_bytes> ram{};
        std::int64_t base_second = 0; ///< when the time registers held: a count of ticks since 1970
        std::uint32_t phase_ns = 0;   ///< where in the host's second a tick falls
        std::uint8_t extended_index = 0;
        std::array<std::uint8_t, cmos::ram_bytes> extended{}; ///< registers 128 to 255
    };

    void preset(std::uint8_t index, std::uint8_t value);

    cmos::Format format() const noexcept { return cmos::format_of(state_.ram[cmos::reg_b]); }
    bool time_runs() const noexcept;
    std::int64_t current_second() const noexcept;
    std::int64_t ns_to_next_second() const noexcept;
    std::uint64_t periodic_ticks() const noexcept;

    cmos::TimeBytes time() const noexcept;
    void set_time(const cmos::TimeBytes& bytes) noexcept;
    cmos::AlarmBytes alarm() const noexcept;

    std::uint8_t read_register() noexcept;
    void write_register(std::uint8_t value) noexcept;
    void write_a(std::uint8_t value) noexcept;
    void write_b(std::uint8_t value) noexcept;

    void catch_up() noexcept;
    void advance_time() noexcept;
    std::uint64_t next_event_ns() const noexcept;
    void sync() noexcept;

    IrqLine& irq_;
    Clock& clock_;
    const bool has_extended_bank_;

    mutable std::mutex lock_; // guards what follows
    State state_;
    std::uint64_t periodic_seen_ = 0; // periodic_ticks() at the last catch_up

    std::unique_ptr<Timer> timer_; // last: destroyed first, as its callback uses the rest
};

} // namespace coldstart
