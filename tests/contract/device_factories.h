// Every device the contract suite and the device fuzzer run over, with what surrounds it.
#pragma once

#include "devices/acpi_pm/acpi_pm.h"
#include "devices/cmos/cmos.h"
#include "devices/debug_console/debug_console.h"
#include "devices/i8042/i8042_reset.h"
#include "devices/post_port/post_port.h"
#include "devices/pvpanic/pvpanic.h"
#include "devices/uart16550/uart16550.h"
#include "tests/fakes/fake_byte_stream.h"
#include "tests/fakes/fakes.h"

#include <array>
#include <atomic>
#include <memory>
#include <ostream>
#include <string_view>

namespace coldstart::contract {

class CountingPostCodeSink final : public PostCodeSink {
  public:
    void post_code(std::uint8_t code, std::uint64_t) noexcept override {
        last = code;
        ++count;
    }
    std::atomic<unsigned> last = 0, count = 0;
};

/// The surroundings of one device. It outlives the device.
struct Fixture {
    std::array<fakes::FakeIrqLine, 4> irqs; ///< by index in Device::lines
    fakes::FakeClock clock;
    fakes::FakePower power;
    fakes::FakeByteStream stream;
    CountingPostCodeSink post_codes;
};

struct DeviceFactory {
    std::string_view type;
    std::unique_ptr<Device> (*make)(Fixture& fixture);
    /// Some state outlives a reset on purpose: battery-backed RAM, the time of day.
    bool keeps_state_over_reset = false;
    /// What a person at the host may do to the device: press a button, send a break.
    void (*host_action)(Device& device) = nullptr;
};

inline std::ostream& operator<<(std::ostream& out, const DeviceFactory& factory) {
    return out << factory.type;
}

inline constexpr std::array device_factories = {
    DeviceFactory{"uart16550",
                  [](Fixture& f) -> std::unique_ptr<Device> {
                      return std::make_unique<Uart16550>(f.irqs[0], f.clock, f.stream);
                  },
                  false, [](Device& device) { static_cast<Uart16550&>(device).receive_break(); }},
    DeviceFactory{"cmos",
                  [](Fixture& f) -> std::unique_ptr<Device> {
                      return std::make_unique<Cmos>(f.irqs[0], f.clock);
                  },
                  true},
    DeviceFactory{"acpi-pm",
                  [](Fixture& f) -> std::unique_ptr<Device> {
                      return std::make_unique<AcpiPm>(f.irqs[0], f.clock, f.power);
                  },
                  false, [](Device& device) { static_cast<AcpiPm&>(device).press_power_button(); }},
    DeviceFactory{"i8042-reset",
                  [](Fixture& f) -> std::unique_ptr<Device> {
                      return std::make_unique<I8042Reset>(f.power);
                  }},
    DeviceFactory{"post-port",
                  [](Fixture& f) -> std::unique_ptr<Device> {
                      return std::make_unique<PostPort>(f.clock, f.post_codes);
                  }},
    DeviceFactory{"debugcon",
                  [](Fixture& f) -> std::unique_ptr<Device> {
                      return std::make_unique<DebugConsole>(f.stream);
                  }},
    DeviceFactory{
        "pvpanic",
        [](Fixture& f) -> std::unique_ptr<Device> { return std::make_unique<PvPanic>(f.power); }},
};

} // namespace coldstart::contract
