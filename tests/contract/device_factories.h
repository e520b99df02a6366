// Every device of the catalogue, with what surrounds it: what the contract suite and the device
// fuzzer run over. A transport comes once for each function that may stand behind it.
#pragma once

#include "devices/acpi_pm/acpi_pm.h"
#include "devices/core/pci/pci_bus.h"
#include "devices/post_port/post_port.h"
#include "devices/uart16550/uart16550.h"
#include "tests/fakes/fake_byte_stream.h"
#include "tests/fakes/fake_net.h"
#include "tests/fakes/fake_pci.h"
#include "tests/fakes/fakes.h"
#include "tests/fakes/virtio_driver.h"
#include "tests/fakes/virtio_temp_file.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/log.h"
#include "vmm/machine/catalogue.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

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
    Fixture() {
        config.disks.emplace_back().path = image.path();
        config.nets.emplace_back();
        net.offloads = {.checksum = true, .tso4 = true, .tso6 = true, .ecn = true};
    }

    std::array<fakes::FakeIrqLine, 4> irqs; ///< by index in Device::lines
    fakes::FakeClock clock;
    fakes::FakePower power;
    fakes::FakeReactor reactor;
    fakes::FakeByteStream stream;
    fakes::FakeNet net;
    fakes::FakePlacer placer;
    fakes::FakeMapper mapper;
    fakes::FakeMsiRouter msis;
    PciBus pci;
    CountingPostCodeSink post_codes;
    GuestMemory memory = GuestMemory::on_heap(64 * KiB);
    fakes::TempFile image{64 * KiB};
    VmConfig config;
    unsigned guest_actions = 0;
};

/// Snapshots carry the RAM: the rings of a queue are there.
inline void copy_ram(const Fixture& from, const Fixture& to) {
    to.memory.write(Gpa(0), from.memory.range(Gpa(0), from.memory.size_bytes()));
}

/// What the catalogue does not say of a device; most need no line here.
struct DeviceHabits {
    std::string_view type;
    /// Some state outlives a reset on purpose: battery-backed RAM, the time of day.
    bool keeps_state_over_reset = false;
    /// What a person at the host may do to the device: press a button, send a break.
    void (*host_action)(Device& device) = nullptr;
    /// What random accesses would hardly come upon: a driver that sets the device up and uses it.
    void (*guest_action)(Device& device, Fixture& fixture) = nullptr;
};

/// Brings up whatever is behind the registers and gives each queue a chain that every function can
/// work with in some way: a block read of sector 0, bytes to print, room for input or entropy.
inline void drive_virtio(fakes::VirtioDriver& driver, Fixture& fixture) {
    fixture.memory.fill(Gpa(0), fixture.memory.size_bytes(), std::byte{0});
    driver.reset();
    if (!driver.negotiate(driver.offered()))
        return;
    std::vector<fakes::VirtioDriver::Queue*> queues;
    while (queues.size() < 16 && driver.queue_max_size(static_cast<unsigned>(queues.size())) != 0)
        queues.push_back(&driver.add_queue(8));
    driver.set_status(4);
    const bool breaks_rules = ++fixture.guest_actions % 4 == 0; // the device wants a reset then
    for (fakes::VirtioDriver::Queue* queue : queues) {
        queue->chain().out(std::string(16, '\0')).in(512).in(1).add();
        if (breaks_rules)
            queue->set_avail_index(100);
        queue->kick();
    }
}

inline void drive_virtio_mmio(Device& device, Fixture& fixture) {
    fakes::VirtioDriver driver(device, fixture.memory);
    drive_virtio(driver, fixture);
}

/// The same over PCI, by INTx and by MSI-X in turn, and with a few writes to configuration space
/// that nobody expects.
inline void drive_virtio_pci(Device& device, Fixture& fixture) {
    auto& function = static_cast<PciFunction&>(device);
    auto transport = std::make_unique<fakes::PciTransport>(function);
    fakes::PciTransport& pci = *transport;
    fakes::VirtioDriver driver(std::move(transport), fixture.memory);
    if (!pci.complete())
        return; // what the function says of itself was damaged with its state
    std::mt19937_64 random(fixture.guest_actions);
    for (unsigned i = 0; i < 8; ++i) {
        const unsigned width = 1u << random() % 3;
        const auto offset = static_cast<unsigned>(random() % 256 / width * width);
        function.config_write(offset, width, static_cast<std::uint32_t>(random()));
        function.config_read(offset, width);
    }
    pci.switch_on();
    pci.enable_msix(fixture.guest_actions % 3 == 2);
    for (unsigned vector = 0; vector < pci.vectors(); ++vector)
        pci.set_vector(vector, vector, random() % 4 == 0);
    drive_virtio(driver, fixture);
    for (unsigned queue = 0; queue < 16; ++queue)
        pci.choose_queue_vector(queue, static_cast<std::uint32_t>(random() % 4));
    pci.choose_config_vector(static_cast<std::uint32_t>(random() % 4));
}

inline constexpr std::array device_habits = {
    DeviceHabits{
        .type = "uart16550",
        .host_action = [](Device& device) { static_cast<Uart16550&>(device).receive_break(); }},
    DeviceHabits{.type = "cmos", .keeps_state_over_reset = true},
    DeviceHabits{
        .type = "acpi-pm",
        .host_action = [](Device& device) { static_cast<AcpiPm&>(device).press_power_button(); }},
    DeviceHabits{.type = "virtio-mmio", .guest_action = drive_virtio_mmio},
    DeviceHabits{.type = "virtio-pci", .guest_action = drive_virtio_pci},
};

struct DeviceFactory {
    std::string name; ///< for reports: "virtio-mmio/virtio-rng"
    const CatalogueEntry* entry;
    BoardDevice placed;
    DeviceHabits habits;

    std::unique_ptr<Device> operator()(Fixture& fixture) const {
        std::vector<IrqLine*> lines;
        for (fakes::FakeIrqLine& irq : fixture.irqs)
            lines.push_back(&irq);
        return entry->make(placed, {.config = fixture.config,
                                    .memory = fixture.memory,
                                    .clock = fixture.clock,
                                    .power = fixture.power,
                                    .reactor = fixture.reactor,
                                    .lines = lines,
                                    .placer = fixture.placer,
                                    .mapper = fixture.mapper,
                                    .msis = fixture.msis,
                                    .pci = fixture.pci,
                                    .post_codes = &fixture.post_codes,
                                    .stream = &fixture.stream,
                                    .make_net = [&fixture](const NetConfig&, Reactor&) {
                                        return std::make_unique<fakes::FakeNetBackend>(fixture.net);
                                    }});
    }
};

inline DeviceFactory make_factory(const CatalogueEntry& entry, std::string_view function) {
    const std::string type(entry.type);
    DeviceFactory factory{
        .name = function.empty() ? type : type + "/" + std::string(function),
        .entry = &entry,
        .placed = {.id = "tested",
                   .type = type,
                   .gsis = {0, 1, 2, 3}, // as many as Fixture::irqs, more than any device has
                   .function = std::string(function),
                   .stream = "host"},
        .habits = {.type = entry.type}};
    const auto known = std::ranges::find(device_habits, entry.type, &DeviceHabits::type);
    if (known != device_habits.end())
        factory.habits = *known;
    return factory;
}

inline const std::vector<DeviceFactory>& device_factories() {
    static const std::vector<DeviceFactory> factories = [] {
        set_log_level(LogLevel::error); // guests that misbehave are the point here
        std::vector<DeviceFactory> all;
        for (const CatalogueEntry& entry : device_catalogue()) {
            if (entry.functions.empty())
                all.push_back(make_factory(entry, {}));
            for (const std::string_view function : entry.functions)
                all.push_back(make_factory(entry, function));
        }
        return all;
    }();
    return factories;
}

} // namespace coldstart::contract
