#include "vmm/machine/catalogue.h"

#include "api/command/device_names.h"
#include "devices/acpi_ged/acpi_ged.h"
#include "devices/acpi_pm/acpi_pm.h"
#include "devices/ahci/ahci_controller.h"
#include "devices/ahci/ata_disk.h"
#include "devices/ahci/atapi_drive.h"
#include "devices/cmos/cmos.h"
#include "devices/debug_console/debug_console.h"
#include "devices/debug_exit/debug_exit.h"
#include "devices/flash/cfi_flash.h"
#include "devices/fw_cfg/fw_cfg.h"
#include "devices/hpet/hpet.h"
#include "devices/i8042/i8042.h"
#include "devices/i8042/i8042_reset.h"
#include "devices/ich9/ich9_lpc.h"
#include "devices/ich9/ich9_smbus.h"
#include "devices/ioapic/ioapic.h"
#include "devices/pic8259/pic8259.h"
#include "devices/pit8254/pit8254.h"
#include "devices/post_port/post_port.h"
#include "devices/pvpanic/pvpanic.h"
#include "devices/q35/q35_mch.h"
#include "devices/readiness_port/readiness_port.h"
#include "devices/rom/rom.h"
#include "devices/uart16550/uart16550.h"
#include "devices/vga/std_vga.h"
#include "devices/vga/vga_legacy.h"
#include "virtio/backend/raw_disk.h"
#include "virtio/balloon/virtio_balloon.h"
#include "virtio/console/virtio_console.h"
#include "virtio/rng/virtio_rng.h"
#include "virtio/transport/mmio/virtio_mmio_device.h"
#include "virtio/transport/pci/virtio_pci_device.h"
#include "virtio/vsock/virtio_vsock.h"
#include "vmm/base/error.h"
#include "vmm/base/guest_memory.h"
#include "vmm/base/text.h"
#include "vmm/machine/make_disk.h"
#include "vmm/machine/make_net.h"
#include "vmm/machine/rate_limits.h"
#include "vmm/machine/vga_bios.h"

#include <array>
#include <iterator>
#include <utility>

namespace coldstart {

namespace {

// The board gives each entry as many GSIs as its device has lines, at least those used here, and
// names a stream for each console; Machine has checked that the stream is there.

/// For a port whose codes nobody collects.
class NoPostCodes final : public PostCodeSink {
  public:
    void post_code(std::uint8_t, std::uint64_t) noexcept override {}
};

/// For a port to whose lines nobody listens.
class NobodyReady final : public ReadinessSink {
  public:
    void guest_ready(std::string_view) noexcept override {}
};

IrqLine& line(const BoardDevice& entry, const DeviceHost& host) {
    if (host.lines.empty())
        throw Error(cat(entry.id, ": a ", entry.type, " needs an interrupt, the board has none"));
    return *host.lines[0];
}

ByteStream& stream(const BoardDevice& entry, const DeviceHost& host) {
    if (host.stream == nullptr)
        throw Error(cat(entry.id, ": the board names no stream to put behind it"));
    return *host.stream;
}

std::unique_ptr<Device> make_uart16550(const BoardDevice& entry, const DeviceHost& host) {
    return std::make_unique<Uart16550>(line(entry, host), host.clock, stream(entry, host));
}

ProcessorInterrupts& processors(const DeviceHost& host) {
    static NoProcessors nobody;
    return host.processors != nullptr ? *host.processors : nobody;
}

std::unique_ptr<Device> make_ioapic(const BoardDevice&, const DeviceHost& host) {
    return std::make_unique<Ioapic>(processors(host));
}

std::unique_ptr<Device> make_pic8259(const BoardDevice&, const DeviceHost& host) {
    return std::make_unique<Pic8259>(processors(host));
}

std::unique_ptr<Device> make_pit8254(const BoardDevice& entry, const DeviceHost& host) {
    return std::make_unique<Pit8254>(line(entry, host), host.clock);
}

std::unique_ptr<Device> make_hpet(const BoardDevice& entry, const DeviceHost& host) {
    return std::make_unique<Hpet>(host.lines, entry.gsis, host.clock);
}

std::unique_ptr<Device> make_i8042(const BoardDevice& entry, const DeviceHost& host) {
    IrqLine* const mouse = host.lines.size() > 1 ? host.lines[1] : nullptr;
    return std::make_unique<I8042>(line(entry, host), host.power, mouse);
}

std::unique_ptr<Device> make_i8042_reset(const BoardDevice&, const DeviceHost& host) {
    return std::make_unique<I8042Reset>(host.power);
}

/// Without the word, the standard bank is all there is.
constexpr std::string_view cmos_functions[] = {"standard", "extended"};

std::unique_ptr<Device> make_cmos(const BoardDevice& entry, const DeviceHost& host) {
    const CmosOptions options{.nvram = entry.nvram, .extended_bank = entry.function == "extended"};
    return std::make_unique<Cmos>(line(entry, host), host.clock, options);
}

std::unique_ptr<Device> make_acpi_pm(const BoardDevice& entry, const DeviceHost& host) {
    return std::make_unique<AcpiPm>(line(entry, host), host.clock, host.power);
}

std::unique_ptr<Device> make_acpi_ged(const BoardDevice& entry, const DeviceHost& host) {
    return std::make_unique<AcpiGed>(line(entry, host), host.power);
}

std::unique_ptr<Device> make_post_port(const BoardDevice&, const DeviceHost& host) {
    static NoPostCodes nobody;
    PostCodeSink& sink = host.post_codes != nullptr ? *host.post_codes : nobody;
    return std::make_unique<PostPort>(host.clock, sink);
}

std::unique_ptr<Device> make_readiness_port(const BoardDevice&, const DeviceHost& host) {
    static NobodyReady nobody;
    return std::make_unique<ReadinessPort>(host.readiness != nullptr ? *host.readiness : nobody);
}

std::unique_ptr<Device> make_pvpanic(const BoardDevice&, const DeviceHost& host) {
    return std::make_unique<PvPanic>(host.power);
}

std::unique_ptr<Device> make_rom(const BoardDevice& entry, const DeviceHost& host) {
    if (host.firmware.empty())
        throw Error(cat(entry.id, ": there is no firmware to put into it"));
    return std::make_unique<Rom>(host.firmware);
}

std::unique_ptr<Device> make_debug_exit(const BoardDevice&, const DeviceHost& host) {
    return std::make_unique<DebugExit>(host.power);
}

std::unique_ptr<Device> make_debugcon(const BoardDevice& entry, const DeviceHost& host) {
    return std::make_unique<DebugConsole>(stream(entry, host));
}

std::unique_ptr<Device> make_fw_cfg(const BoardDevice&, const DeviceHost& host) {
    static const FwCfgItems nothing;
    const FwCfgItems& items = host.fw_cfg != nullptr ? *host.fw_cfg : nothing;
    return std::make_unique<FwCfg>(items, host.memory, host.clock);
}

constexpr std::string_view flash_functions[] = {"code", "vars"};

std::unique_ptr<Device> make_cfi_flash(const BoardDevice& entry, const DeviceHost& host) {
    FileFlashOptions file{.path = host.config.firmware_path, .read_only = true};
    if (entry.function == "vars")
        file = {.path = host.config.nvram_path, .template_path = host.config.nvram_template_path};
    return std::make_unique<CfiFlash>(open_flash_file(file), host.placer, host.reactor, host.smm);
}

std::unique_ptr<Device> make_q35_mch(const BoardDevice&, const DeviceHost& host) {
    return std::make_unique<Q35Mch>(
        Q35MchHost{.pci = host.pci,
                   .placer = host.placer,
                   .mapper = host.mapper,
                   .power = host.power,
                   .memory = host.memory,
                   .shadow_ram = host.memory.range(ShadowMemory::base, ShadowMemory::size_bytes),
                   .low_rom = host.low_rom,
                   .smm = host.smm});
}

std::unique_ptr<Device> make_ich9_lpc(const BoardDevice&, const DeviceHost& host) {
    return std::make_unique<Ich9Lpc>(Ich9LpcHost{.pci = host.pci,
                                                 .placer = host.placer,
                                                 .clock = host.clock,
                                                 .power = host.power,
                                                 .lines = host.lines,
                                                 .smm = host.smm});
}

std::unique_ptr<Device> make_ich9_smbus(const BoardDevice& entry, const DeviceHost& host) {
    return std::make_unique<Ich9Smbus>(host.placer, line(entry, host));
}

std::unique_ptr<Device> make_std_vga(const BoardDevice&, const DeviceHost& host) {
    return std::make_unique<StdVga>(host.placer, read_vga_bios(host.config));
}

/// A board has it behind its std-vga; without one it is an adapter by itself.
std::unique_ptr<Device> make_vga_legacy(const BoardDevice&, const DeviceHost& host) {
    return std::make_unique<VgaLegacy>(StdVga::find(host.pci));
}

/// The disks on SATA and the CD drive, in the order of the ports.
std::unique_ptr<Device> make_ahci(const BoardDevice& entry, const DeviceHost& host) {
    std::vector<std::unique_ptr<AtaDrive>> drives;
    for (std::size_t i = 0; i < host.config.disks.size(); ++i) {
        const DiskConfig& disk = host.config.disks[i];
        if (disk.bus != DiskBus::sata)
            continue;
        drives.push_back(std::make_unique<AtaDisk>(open_disk_image(host, i),
                                                   disk.serial.empty() ? disk_name(host.config, i)
                                                                       : disk.serial));
    }
    if (!host.config.cdrom_path.empty()) {
        const RawDiskOptions image{.path = host.config.cdrom_path,
                                   .read_only = true,
                                   .milestones = host.milestones,
                                   .name = "cdrom"};
        drives.push_back(
            std::make_unique<AtapiDrive>(std::make_unique<RawDisk>(image, host.reactor), "cdrom"));
    }
    const AhciHost ahci{.memory = host.memory,
                        .reactor = host.reactor,
                        .placer = host.placer,
                        .msis = host.msis,
                        .intx = line(entry, host)};
    return std::make_unique<AhciController>(ahci, std::move(drives));
}

std::unique_ptr<VirtioDevice> make_virtio_balloon(const BoardDevice&, const DeviceHost& host) {
    const BalloonConfig config = host.config.balloon.value_or(BalloonConfig{});
    const VirtioBalloonOptions options{.amount_mib = config.amount_mib,
                                       .deflate_on_oom = config.deflate_on_oom,
                                       .statistics_interval_s = config.statistics_interval_s,
                                       .free_page_hinting = config.free_page_hinting,
                                       .free_page_reporting = config.free_page_reporting};
    return std::make_unique<VirtioBalloon>(options, host.memory, host.clock);
}

std::unique_ptr<VirtioDevice> make_virtio_console(const BoardDevice& entry,
                                                  const DeviceHost& host) {
    return std::make_unique<VirtioConsole>(stream(entry, host));
}

std::unique_ptr<VirtioDevice> make_virtio_rng(const BoardDevice&, const DeviceHost& host) {
    return std::make_unique<VirtioRng>(
        VirtioRngOptions{.clock = &host.clock, .limit = rate_limit_of(host.config.rng_limiter)});
}

std::unique_ptr<VirtioDevice> make_virtio_vsock(const BoardDevice& entry, const DeviceHost& host) {
    if (!host.config.vsock)
        throw Error(cat(entry.id, ": the configuration has no vsock"));
    std::shared_ptr<VsockListener> listener = host.vsock_listener;
    if (listener == nullptr)
        listener = std::make_shared<VsockListener>(host.config.vsock->uds_path);
    return std::make_unique<VirtioVsock>(host.config.vsock->guest_cid, std::move(listener),
                                         host.reactor, host.clock);
}

/// What may stand behind a virtio transport, by BoardDevice::function.
struct VirtioEntry {
    std::string_view function;
    std::unique_ptr<VirtioDevice> (*make)(const BoardDevice& entry, const DeviceHost& host);
};

// clang-format off
constexpr VirtioEntry virtio_functions[] = {
    {"virtio-balloon", make_virtio_balloon},
    {"virtio-blk", make_virtio_blk},
    {"virtio-console", make_virtio_console},
    {"virtio-net", make_virtio_net},
    {"virtio-rng", make_virtio_rng},
    {"virtio-vsock", make_virtio_vsock},
};
// clang-format on

constexpr auto virtio_function_names = [] {
    std::array<std::string_view, std::size(virtio_functions)> names;
    for (std::size_t i = 0; i < names.size(); ++i)
        names[i] = virtio_functions[i].function;
    return names;
}();

std::unique_ptr<VirtioDevice> make_virtio(const BoardDevice& entry, const DeviceHost& host) {
    for (const VirtioEntry& known : virtio_functions) {
        if (known.function == entry.function)
            return known.make(entry, host);
    }
    throw Error(cat(entry.id, ": no virtio device \"", entry.function, "\" in the catalogue"));
}

std::unique_ptr<Device> make_virtio_mmio(const BoardDevice& entry, const DeviceHost& host) {
    auto device = std::make_unique<VirtioMmioDevice>(make_virtio(entry, host), host.memory,
                                                     line(entry, host), host.reactor);
    device->tell_milestones(*host.milestones, entry.id);
    return device;
}

std::unique_ptr<Device> make_virtio_pci(const BoardDevice& entry, const DeviceHost& host) {
    const std::vector<std::byte> rom = entry.function == "virtio-net"
                                           ? read_net_rom(host.config.nets.at(entry.unit))
                                           : std::vector<std::byte>();
    auto device = std::make_unique<VirtioPciDevice>(make_virtio(entry, host),
                                                    VirtioPciHost{.memory = host.memory,
                                                                  .reactor = host.reactor,
                                                                  .placer = host.placer,
                                                                  .msis = host.msis,
                                                                  .intx = &line(entry, host)},
                                                    rom);
    device->tell_milestones(*host.milestones, entry.id);
    return device;
}

// One line a device, so that two branches that add one do not meet.
// clang-format off
constexpr CatalogueEntry devices[] = {
    {"cfi-flash", make_cfi_flash, flash_functions},
    {"isa-debug-exit", make_debug_exit},
    {"hpet", make_hpet},
    {"ioapic", make_ioapic},
    {"pic8259", make_pic8259},
    {"pit8254", make_pit8254},
    {"uart16550", make_uart16550},
    {"i8042-reset", make_i8042_reset},
    {"i8042", make_i8042},
    {"cmos", make_cmos, cmos_functions},
    {"acpi-pm", make_acpi_pm},
    {"acpi-ged", make_acpi_ged},
    {"post-port", make_post_port},
    {"pvpanic", make_pvpanic},
    {"readiness-port", make_readiness_port},
    {"debugcon", make_debugcon},
    {"ahci", make_ahci},
    {"rom", make_rom},
    {"virtio-mmio", make_virtio_mmio, virtio_function_names},
    {"virtio-pci", make_virtio_pci, virtio_function_names},
    {"fw-cfg", make_fw_cfg},
    {"q35-mch", make_q35_mch},
    {"ich9-lpc", make_ich9_lpc},
    {"ich9-smbus", make_ich9_smbus},
    {"std-vga", make_std_vga},
    {"vga-legacy", make_vga_legacy},
};
// clang-format on

} // namespace

std::span<const CatalogueEntry> device_catalogue() noexcept {
    return devices;
}

} // namespace coldstart
