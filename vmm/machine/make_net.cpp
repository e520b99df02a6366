#include "vmm/machine/make_net.h"

#include "virtio/backend/passt.h"
#include "virtio/backend/stream_net.h"
#include "virtio/backend/tap.h"
#include "virtio/net/virtio_net.h"
#include "virtio/transport/pci/option_rom.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/machine/rate_limits.h"

#include <cerrno>
#include <fstream>
#include <string>

#include <unistd.h>

namespace coldstart {
namespace {

// For a BIOS. UEFI passes over what is in it and uses its own driver and network stack, which does
// all that iPXE's EFI driver would.
constexpr const char* usual_rom_path = "/usr/lib/ipxe/qemu/pxe-virtio.rom";

std::unique_ptr<NetBackend> make_host_backend(const NetConfig& net, Reactor& reactor) {
    if (net.kind == NetConfig::Kind::tap)
        return std::make_unique<TapBackend>(net.tap, reactor);
    PasstOptions options;
    for (const PortForward& forward : net.forwards)
        options.forwards.push_back({.udp = forward.protocol == PortForward::Protocol::udp,
                                    .host_port = forward.host_port,
                                    .guest_port = forward.guest_port});
    return std::make_unique<StreamNetBackend>(start_passt(options), reactor);
}

MacAddress address_of(const NetConfig& net, const BoardDevice& entry, const VmConfig& config) {
    // With the TAP's name in it, two machines on one bridge have different addresses.
    if (net.mac.empty())
        return MacAddress::derived_from(cat(config.id, "/", entry.id, "/", net.tap));
    if (const auto mac = MacAddress::parse(net.mac))
        return *mac;
    throw UsageError(cat(entry.id, ": \"", printable(net.mac), "\" is no address of a card"),
                     "write mac=52:54:00:12:34:56, the first number even");
}

} // namespace

std::unique_ptr<VirtioDevice> make_virtio_net(const BoardDevice& entry, const DeviceHost& host) {
    const NetConfig& net = host.config.nets.at(entry.unit);
    const VirtioNetOptions options{.mac = address_of(net, entry, host.config),
                                   .mtu = net.mtu,
                                   .clock = &host.clock,
                                   .receive_limit = rate_limit_of(net.receive_limiter),
                                   .transmit_limit = rate_limit_of(net.transmit_limiter)};
    auto backend =
        host.make_net ? host.make_net(net, host.reactor) : make_host_backend(net, host.reactor);
    return std::make_unique<VirtioNet>(std::move(backend), options);
}

std::vector<std::byte> read_net_rom(const NetConfig& net) {
    if (net.rom_path ? net.rom_path->empty() : ::access(usual_rom_path, F_OK) != 0)
        return {};
    const std::string path = net.rom_path.value_or(usual_rom_path);
    std::ifstream file(path, std::ios::binary);
    if (!file)
        throw system_error(cat("option ROM ", printable(path)), errno);
    std::vector<std::byte> bytes(OptionRom::max_bytes +
                                 1); // one more: it says that it is too large
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    bytes.resize(static_cast<std::size_t>(file.gcount()));
    if (bytes.empty())
        throw Error(cat("option ROM ", printable(path), ": it is empty or can't be read"));
    return bytes;
}

} // namespace coldstart
