// Every device of the catalogue, with what surrounds it: what the contract suite and the device
// fuzzer run over. A transport comes once for each function that may stand behind it.
#pragma once

#include "devices/acpi_ged/acpi_ged.h"
#include "devices/acpi_pm/acpi_pm.h"
#include "devices/core/pci/pci_bus.h"
#include "devices/fw_cfg/fw_cfg_items.h"
#include "devices/i8042/i8042.h"
#include "devices/ich9/ich9_lpc.h"
#include "devices/ich9/smbus_spec.h"
#include "devices/ioapic/ioapic.h"
#include "devices/pic8259/pic8259.h"
#include "devices/pit8254/pit8254.h"
#include "devices/post_port/post_port.h"
#include "devices/uart16550/uart16550.h"
#include "devices/vga/std_vga.h"
#include "devices/vga/vga_legacy.h"
#include "tests/fakes/ahci_driver.h"
#include "tests/fakes/fake_byte_stream.h"
#include "tests/fakes/fake_net.h"
#include "tests/fakes/fake_pci.h"
#include "tests/fakes/fake_processors.h"
#include "tests/fakes/fake_smm.h"
#include "tests/fakes/fakes.h"
#include "tests/fakes/virtio_driver.h"
#include "tests/fakes/virtio_temp_file.h"
#include "virtio/balloon/virtio_balloon.h"
#include "virtio/transport/mmio/virtio_mmio_device.h"
#include "virtio/transport/pci/virtio_pci_device.h"
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
        DiskConfig& sata = config.disks.emplace_back();
        sata.path = sata_image.path();
        sata.bus = DiskBus::sata;
        config.cdrom_path = disc.path();
        fw_cfg.add(0x05, std::vector<std::byte>(2, std::byte{1}));
        fw_cfg.add(0x8004, std::vector<std::byte>(121, std::byte{2}));
        fw_cfg.add_file("etc/e820", std::vector<std::byte>(60, std::byte{3}));
        fw_cfg.add_writable_file("etc/log", std::vector<std::byte>(16), [](ByteView) {});
        fw_cfg.add_generated_file("etc/made", 100,
                                  [] { return std::vector<std::byte>(90, std::byte{4}); });
        config.firmware_path = code_flash.path();
        config.nvram_path = vars_flash.path();
        config.nets.emplace_back();
        config.balloon = BalloonConfig{.deflate_on_oom = true,
                                       .statistics_interval_s = 1,
                                       .free_page_hinting = true,
                                       .free_page_reporting = true};
        config.vsock = VsockConfig{.guest_cid = 3, .uds_path = image.path() + ".vsock"};
        net.offloads = {.checksum = true, .tso4 = true, .tso6 = true, .ecn = true};
    }

    std::array<fakes::FakeIrqLine, 12> irqs; ///< by index in Device::lines
    fakes::FakeClock clock;
    fakes::FakePower power;
    fakes::FakeReactor reactor;
    fakes::FakeByteStream stream;
    fakes::FakeNet net;
    fakes::FakePlacer placer;
    fakes::FakeMapper mapper;
    fakes::FakeMsiRouter msis;
    fakes::FakeProcessors processors;
    fakes::FakeSmm smm;
    PciBus pci;
    CountingPostCodeSink post_codes;
    std::array<std::byte, 8192> firmware{};
    GuestMemory memory = GuestMemory::on_heap(64 * KiB);
    fakes::TempFile image{64 * KiB}, sata_image{64 * KiB}, disc{64 * KiB};
    fakes::TempFile code_flash{8 * KiB}, vars_flash{8 * KiB};
    VmConfig config;
    FwCfgItems fw_cfg;
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

/// One DMA transfer of any kind, of any item, now and then to where no memory is.
inline void drive_fw_cfg(Device& device, Fixture& fixture) {
    constexpr std::array<std::uint32_t, 10> keys = {0,    1,    5,    0x19,   0x20,
                                                    0x21, 0x22, 0x23, 0x8004, 9};
    constexpr std::array<std::uint32_t, 5> kinds = {0x02, 0x04, 0x08, 0x10, 0x12};
    const unsigned turn = ++fixture.guest_actions;
    const std::uint32_t select = turn % 3 != 0 ? 0x08 | keys[turn % keys.size()] << 16 : 0;
    const std::uint32_t order[4] = {__builtin_bswap32(select | kinds[turn / 7 % kinds.size()]),
                                    __builtin_bswap32(turn % 11 * 8), turn % 13 == 0 ? ~0u : 0,
                                    __builtin_bswap32(0x2000)};
    fixture.memory.write(Gpa(0x1000), std::as_bytes(std::span(order)));
    device.write(1, 4, 4, __builtin_bswap32(0x1000));
}

/// Configuration space as random accesses of a region do not reach it: some register of the
/// function, any value; now and then the SCI on, so that a pressed button is heard.
inline void configure_ich9_lpc(Device& device, Fixture& fixture) {
    std::mt19937 random(fixture.guest_actions++);
    constexpr PciAddress lpc{.device = 31, .function = 0};
    for (unsigned i = 0; i < 16; ++i) {
        const unsigned width = 1u << random() % 3;
        const unsigned offset = static_cast<unsigned>(random() % 256) & ~(width - 1);
        fixture.pci.config_write(0, lpc, offset, width, static_cast<std::uint32_t>(random()));
        fixture.pci.config_read(0, lpc, offset, width);
    }
    fixture.pci.config_write(0, lpc, ich9::cfg_acpi_cntl, 1, ich9::acpi_cntl_enable);
    device.write(ich9::region_pm, ich9::pm_event, 4, 0x0100'ffff);
    device.write(ich9::region_apm, ich9::apm_control, 1, ich9::apm_acpi_enable);
}

/// As the kernel's driver begins a transaction, which asks for an interrupt at its end.
inline void drive_ich9_smbus(Device& device, Fixture& fixture) {
    auto& function = static_cast<PciFunction&>(device);
    function.config_write(0x20, 4, 0x701 + (fixture.guest_actions++ % 4) * 0x20);
    function.config_write(0x04, 2, 1);
    function.config_write(ich9::cfg_smbus_hostc, 1, ich9::hostc_enable);
    device.write(0, ich9::hst_cnt, 1, ich9::cnt_start | ich9::cnt_interrupt_enable);
}

/// Each timer to another line, level and edge, one-shot and periodic.
inline void drive_hpet(Device& device, Fixture& fixture) {
    const std::uint64_t variant = ++fixture.guest_actions;
    device.write(0, 0x10, 8, 1);
    for (std::uint64_t timer = 0; timer < 3; ++timer) {
        const std::uint64_t at = 0x100 + timer * 0x20;
        const std::uint64_t bits = (variant + timer) * 2 & 0x0a; // level, periodic
        device.write(0, at, 8, timer << 9 | 0x44 | bits);
        device.write(0, at + 8, 8, device.read(0, 0xf0, 8) + timer * 10'000);
    }
}

/// Someone looks at the screen; at a large one only at its size.
inline void look_at(const Screen& screen) {
    const ScreenStatus status = screen.status();
    if (status.width * status.height < 256 * 1024)
        screen.image();
    screen.text();
}

/// A client of the control socket asks what can be asked of any balloon.
template <typename Transport>
void use_virtio(Device& device) {
    VirtioDevice& behind = static_cast<Transport&>(device).device();
    if (auto* const balloon = dynamic_cast<VirtioBalloon*>(&behind)) {
        balloon->request_statistics();
        balloon->statistics();
        balloon->size();
    }
}

/// Lines that come and go; afterwards all are low.
inline void pulse_inputs(InterruptInputs& inputs) {
    for (unsigned pin = 0; pin < 25; ++pin)
        inputs.set_input(pin, true);
    for (unsigned pin = 0; pin < 25; ++pin)
        inputs.set_input(pin, false);
}

/// Unmasked entries of both triggers, and the end of one interrupt.
inline void drive_ioapic(Device& device, Fixture& fixture) {
    using namespace ioapic;
    const unsigned round = ++fixture.guest_actions;
    for (unsigned pin = 0; pin < pins; ++pin) {
        device.write(0, reg_select, 4, index_redirection + 2 * pin);
        device.write(0, reg_window, 4, (0x30 + pin) | ((pin + round) % 2 != 0 ? entry_level : 0));
    }
    auto& controller = static_cast<Ioapic&>(device);
    pulse_inputs(controller);
    controller.end_of_interrupt(static_cast<std::uint8_t>(0x30 + round % pins));
}

/// Initialises both chips and takes what comes.
inline void drive_pic(Device& device, Fixture&) {
    using namespace pic8259;
    for (const unsigned chip : {region_master, region_slave}) {
        device.write(chip, port_command, 1, 0x11);
        for (const unsigned word : {0x20u, 4u, 1u, 0u})
            device.write(chip, port_mask, 1, word);
    }
    auto& controller = static_cast<Pic8259&>(device);
    pulse_inputs(controller);
    controller.acknowledge();
    device.write(region_master, port_command, 1, 0x20);
}

/// A kilohertz on counter 0, as an old kernel sets it.
inline void drive_pit(Device& device, Fixture&) {
    using namespace pit8254;
    device.write(region_timer, port_control_word, 1, 0x34);
    device.write(region_timer, 0, 1, 1193 & 0xff);
    device.write(region_timer, 0, 1, 1193 >> 8);
}

inline constexpr std::array device_habits = {
    DeviceHabits{
        .type = "uart16550",
        .host_action = [](Device& device) { static_cast<Uart16550&>(device).receive_break(); }},
    DeviceHabits{.type = "i8042",
                 .host_action =
                     [](Device& device) {
                         auto& keyboard = static_cast<I8042&>(device);
                         keyboard.press(KeyCode::print_screen, true);
                         keyboard.type_text("Ab\n");
                         keyboard.press_ctrl_alt_delete();
                     }},
    DeviceHabits{.type = "hpet", .guest_action = drive_hpet},
    DeviceHabits{.type = "ioapic",
                 .host_action = [](Device& device) { pulse_inputs(static_cast<Ioapic&>(device)); },
                 .guest_action = drive_ioapic},
    DeviceHabits{.type = "pic8259",
                 .host_action = [](Device& device) { pulse_inputs(static_cast<Pic8259&>(device)); },
                 .guest_action = drive_pic},
    DeviceHabits{.type = "pit8254", .guest_action = drive_pit},
    DeviceHabits{.type = "cfi-flash", .keeps_state_over_reset = true},
    DeviceHabits{.type = "cmos", .keeps_state_over_reset = true},
    DeviceHabits{
        .type = "acpi-ged",
        .host_action = [](Device& device) { static_cast<AcpiGed&>(device).press_power_button(); }},
    DeviceHabits{
        .type = "acpi-pm",
        .host_action = [](Device& device) { static_cast<AcpiPm&>(device).press_power_button(); }},
    DeviceHabits{.type = "ahci", .guest_action = drive_ahci},
    DeviceHabits{.type = "fw-cfg", .guest_action = drive_fw_cfg},
    DeviceHabits{
        .type = "std-vga",
        .host_action = [](Device& device) { look_at(static_cast<StdVga&>(device).screen()); }},
    DeviceHabits{
        .type = "vga-legacy",
        .host_action = [](Device& device) { look_at(static_cast<VgaLegacy&>(device).screen()); }},
    DeviceHabits{.type = "virtio-mmio",
                 .host_action = use_virtio<VirtioMmioDevice>,
                 .guest_action = drive_virtio_mmio},
    DeviceHabits{.type = "virtio-pci",
                 .host_action = use_virtio<VirtioPciDevice>,
                 .guest_action = drive_virtio_pci},
    DeviceHabits{
        .type = "ich9-lpc",
        .host_action = [](Device& device) { static_cast<Ich9Lpc&>(device).press_power_button(); },
        .guest_action = configure_ich9_lpc},
    DeviceHabits{.type = "ich9-smbus", .guest_action = drive_ich9_smbus},
};

/// Limits that are felt after a few chains.
inline VmConfig with_limits(VmConfig config) {
    const RateLimiterConfig limit{.bandwidth = TokenBucketConfig{2048, 50, 512},
                                  .operations = TokenBucketConfig{2, 10, 1}};
    for (DiskConfig& disk : config.disks)
        disk.limiter = limit;
    for (NetConfig& net : config.nets)
        net.receive_limiter = net.transmit_limiter = limit;
    config.rng_limiter = limit;
    return config;
}

struct DeviceFactory {
    std::string name; ///< for reports: "virtio-mmio/virtio-rng"
    const CatalogueEntry* entry;
    BoardDevice placed;
    DeviceHabits habits;
    bool limited = false; ///< in its rate
    bool has_smm = false; ///< the machine has system management mode

    std::unique_ptr<Device> operator()(Fixture& fixture) const {
        if (limited)
            fixture.config = with_limits(std::move(fixture.config));
        std::vector<IrqLine*> lines;
        for (fakes::FakeIrqLine& irq : fixture.irqs)
            lines.push_back(&irq);
        return entry->make(placed,
                           {.config = fixture.config,
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
                            .firmware = fixture.firmware,
                            .fw_cfg = &fixture.fw_cfg,
                            .stream = &fixture.stream,
                            .make_net =
                                [&fixture](const NetConfig&, Reactor&) {
                                    return std::make_unique<fakes::FakeNetBackend>(fixture.net);
                                },
                            .smm = has_smm ? &fixture.smm : nullptr});
    }
};

inline DeviceFactory make_factory(const CatalogueEntry& entry, std::string_view function) {
    const std::string type(entry.type);
    DeviceFactory factory{
        .name = function.empty() ? type : type + "/" + std::string(function),
        .entry = &entry,
        .placed = {.id = "tested",
                   .type = type,
                   .gsis = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
                            11}, // as many as Fixture::irqs, more than any device has
                   .function = std::string(function),
                   .stream = "host"},
        .habits = {.type = entry.type}};
    const auto known = std::ranges::find(device_habits, entry.type, &DeviceHabits::type);
    if (known != device_habits.end())
        factory.habits = *known;
    return factory;
}

/// What a driver used up of a limit is used up, also after a reset.
inline DeviceFactory with_limits(DeviceFactory factory) {
    factory.name += ", limited";
    factory.limited = true;
    factory.habits.keeps_state_over_reset = true;
    return factory;
}

inline DeviceFactory with_smm(DeviceFactory factory) {
    factory.name += ", with SMM";
    factory.has_smm = true;
    return factory;
}

inline const std::vector<DeviceFactory>& device_factories() {
    static const std::vector<DeviceFactory> factories = [] {
        set_log_level(LogLevel::error); // guests that misbehave are the point here
        std::vector<DeviceFactory> all;
        for (const CatalogueEntry& entry : device_catalogue()) {
            if (entry.functions.empty())
                all.push_back(make_factory(entry, {}));
            if (entry.type == "q35-mch" || entry.type == "ich9-lpc")
                all.push_back(with_smm(all.back()));
            for (const std::string_view function : entry.functions) {
                all.push_back(make_factory(entry, function));
                if (function == "virtio-blk" || function == "virtio-net" ||
                    function == "virtio-rng")
                    all.push_back(with_limits(all.back()));
                if (entry.type == "cfi-flash")
                    all.push_back(with_smm(all.back()));
            }
        }
        return all;
    }();
    return factories;
}

} // namespace coldstart::contract
