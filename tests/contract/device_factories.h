// Every device of the catalogue, with what surrounds it: what the contract suite and the device
// fuzzer run over. A transport comes once for each function that may stand behind it.
#pragma once

#include "devices/acpi_pm/acpi_pm.h"
#include "devices/core/pci/pci_bus.h"
#include "devices/post_port/post_port.h"
#include "devices/uart16550/uart16550.h"
#include "tests/fakes/ahci_driver.h"
#include "tests/fakes/fake_byte_stream.h"
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
        DiskConfig& sata = config.disks.emplace_back();
        sata.path = sata_image.path();
        sata.bus = DiskBus::sata;
        config.cdrom_path = disc.path();
    }

    std::array<fakes::FakeIrqLine, 4> irqs; ///< by index in Device::lines
    fakes::FakeClock clock;
    fakes::FakePower power;
    fakes::FakeReactor reactor;
    fakes::FakeByteStream stream;
    fakes::FakePlacer placer;
    fakes::FakeMapper mapper;
    fakes::FakeMsiRouter msis;
    PciBus pci;
    CountingPostCodeSink post_codes;
    GuestMemory memory = GuestMemory::on_heap(64 * KiB);
    fakes::TempFile image{64 * KiB}, sata_image{64 * KiB}, disc{64 * KiB};
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
inline void drive_virtio_mmio(Device& device, Fixture& fixture) {
    fixture.memory.fill(Gpa(0), fixture.memory.size_bytes(), std::byte{0});
    fakes::VirtioDriver driver(device, fixture.memory);
    driver.reset();
    if (!driver.negotiate(driver.offered()))
        return;
    std::vector<fakes::VirtioDriver::Queue*> queues;
    for (unsigned index = 0; index < 16; ++index) {
        driver.write(0x30, index);
        if (driver.read(0x34) == 0)
            break;
        queues.push_back(&driver.add_queue(8));
    }
    driver.set_status(4);
    const bool breaks_rules = ++fixture.guest_actions % 4 == 0; // the device wants a reset then
    for (fakes::VirtioDriver::Queue* queue : queues) {
        queue->chain().out(std::string(16, '\0')).in(512).in(1).add();
        if (breaks_rules)
            queue->set_avail_index(100);
        queue->kick();
    }
}

/// Brings a port up and issues one command of each kind: a read, a write, a queued read, a packet,
/// and now and then one whose memory is not there.
inline void drive_ahci(Device& device, Fixture& fixture) {
    using Driver = fakes::AhciDriver;
    const unsigned turn = fixture.guest_actions++;
    Driver driver(static_cast<PciFunction&>(device), fixture.memory, turn % 2);
    driver.bring_up();
    constexpr std::array<std::uint8_t, 12> read_block = {0x28, 0, 0, 0, 0, 3, 0, 0, 1};
    const std::vector<Driver::Piece> split = {{.bytes = 100, .interrupt = true},
                                              {.address = Driver::data_at + 0x1000, .bytes = 4096}};
    driver.prepare(0, Driver::fis(ata::identify_device), split);
    driver.prepare(1, Driver::fis(ata::read_dma_ext, 5, 4), split);
    driver.prepare(2, Driver::fis(ata::write_dma_ext, 9, 2), split);
    driver.prepare(3, Driver::queued_fis(false, 3, 1, 8), split);
    driver.prepare(4, Driver::fis(ata::packet, 0, 0, 1), split, read_block);
    driver.prepare(5, Driver::fis(ata::flush_cache_ext), {});
    driver.prepare(6, Driver::fis(ata::read_dma_ext, 0, 8), {{.address = 1u << 20, .bytes = 4096}});
    driver.set(ahci::port_sact, 1u << 3);
    const unsigned kind = turn / 2 % 4;
    const unsigned issued[] = {driver.port == 0 ? 0x2eu : 0x10u, 1u << 1, 0x7fu, 1u << 3};
    driver.set(ahci::port_ci, issued[kind]);
}

inline constexpr std::array device_habits = {
    DeviceHabits{
        .type = "uart16550",
        .host_action = [](Device& device) { static_cast<Uart16550&>(device).receive_break(); }},
    DeviceHabits{.type = "cmos", .keeps_state_over_reset = true},
    DeviceHabits{
        .type = "acpi-pm",
        .host_action = [](Device& device) { static_cast<AcpiPm&>(device).press_power_button(); }},
    DeviceHabits{.type = "ahci", .guest_action = drive_ahci},
    DeviceHabits{.type = "virtio-mmio", .guest_action = drive_virtio_mmio},
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
                                    .stream = &fixture.stream});
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
