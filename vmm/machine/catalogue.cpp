#include "vmm/machine/catalogue.h"

#include "devices/acpi_pm/acpi_pm.h"
#include "devices/cmos/cmos.h"
#include "devices/debug_console/debug_console.h"
#include "devices/i8042/i8042_reset.h"
#include "devices/post_port/post_port.h"
#include "devices/pvpanic/pvpanic.h"
#include "devices/uart16550/uart16550.h"
#include "virtio/backend/raw_disk.h"
#include "virtio/blk/virtio_blk.h"
#include "virtio/console/virtio_console.h"
#include "virtio/rng/virtio_rng.h"
#include "virtio/transport/mmio/virtio_mmio_device.h"
#include "virtio/transport/pci/virtio_pci_device.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/machine/make_net.h"

#include <array>
#include <iterator>

namespace coldstart {

namespace {

// The board gives each entry as many GSIs as its device has lines, at least those used here, and
// names a stream for each console; Machine has checked that the stream is there.

/// For a port whose codes nobody collects.
class NoPostCodes final : public PostCodeSink {
  public:
    void post_code(std::uint8_t, std::uint64_t) noexcept override {}
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

std::unique_ptr<Device> make_i8042_reset(const BoardDevice&, const DeviceHost& host) {
    return std::make_unique<I8042Reset>(host.power);
}

std::unique_ptr<Device> make_cmos(const BoardDevice& entry, const DeviceHost& host) {
    return std::make_unique<Cmos>(line(entry, host), host.clock);
}

std::unique_ptr<Device> make_acpi_pm(const BoardDevice& entry, const DeviceHost& host) {
    return std::make_unique<AcpiPm>(line(entry, host), host.clock, host.power);
}

std::unique_ptr<Device> make_post_port(const BoardDevice&, const DeviceHost& host) {
    static NoPostCodes nobody;
    PostCodeSink& sink = host.post_codes != nullptr ? *host.post_codes : nobody;
    return std::make_unique<PostPort>(host.clock, sink);
}

std::unique_ptr<Device> make_pvpanic(const BoardDevice&, const DeviceHost& host) {
    return std::make_unique<PvPanic>(host.power);
}

std::unique_ptr<Device> make_debugcon(const BoardDevice& entry, const DeviceHost& host) {
    return std::make_unique<DebugConsole>(stream(entry, host));
}

DiskCacheMode cache_mode(DiskCache cache) {
    switch (cache) {
    case DiskCache::none:
        return DiskCacheMode::none;
    case DiskCache::unsafe:
        return DiskCacheMode::unsafe;
    case DiskCache::writeback:
        break;
    }
    return DiskCacheMode::writeback;
}

std::unique_ptr<VirtioDevice> make_virtio_blk(const BoardDevice& entry, const DeviceHost& host) {
    const DiskConfig& disk = host.config.disks.at(entry.unit);
    const RawDiskOptions image{
        .path = disk.path, .read_only = disk.read_only, .cache = cache_mode(disk.cache)};
    VirtioBlkOptions options;
    options.serial = disk.serial.empty() ? entry.id : disk.serial;
    return std::make_unique<VirtioBlk>(std::make_unique<RawDisk>(image, host.reactor), options);
}

std::unique_ptr<VirtioDevice> make_virtio_console(const BoardDevice& entry,
                                                  const DeviceHost& host) {
    return std::make_unique<VirtioConsole>(stream(entry, host));
}

std::unique_ptr<VirtioDevice> make_virtio_rng(const BoardDevice&, const DeviceHost&) {
    return std::make_unique<VirtioRng>();
}

/// What may stand behind a virtio transport, by BoardDevice::function.
struct VirtioEntry {
    std::string_view function;
    std::unique_ptr<VirtioDevice> (*make)(const BoardDevice& entry, const DeviceHost& host);
};

constexpr VirtioEntry virtio_functions[] = {
    {"virtio-blk", make_virtio_blk},
    {"virtio-console", make_virtio_console},
    {"virtio-net", make_virtio_net},
    {"virtio-rng", make_virtio_rng},
};

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
    return std::make_unique<VirtioMmioDevice>(make_virtio(entry, host), host.memory,
                                              line(entry, host), host.reactor);
}

std::unique_ptr<Device> make_virtio_pci(const BoardDevice& entry, const DeviceHost& host) {
    const std::vector<std::byte> rom = entry.function == "virtio-net"
                                           ? read_net_rom(host.config.nets.at(entry.unit))
                                           : std::vector<std::byte>();
    return std::make_unique<VirtioPciDevice>(make_virtio(entry, host),
                                             VirtioPciHost{.memory = host.memory,
                                                           .reactor = host.reactor,
                                                           .placer = host.placer,
                                                           .msis = host.msis,
                                                           .intx = &line(entry, host)},
                                             rom);
}

constexpr CatalogueEntry devices[] = {
    {"uart16550", make_uart16550},
    {"i8042-reset", make_i8042_reset},
    {"cmos", make_cmos},
    {"acpi-pm", make_acpi_pm},
    {"post-port", make_post_port},
    {"pvpanic", make_pvpanic},
    {"debugcon", make_debugcon},
    {"virtio-mmio", make_virtio_mmio, virtio_function_names},
    {"virtio-pci", make_virtio_pci, virtio_function_names},
};

} // namespace

std::span<const CatalogueEntry> device_catalogue() noexcept {
    return devices;
}

} // namespace coldstart
