#include "vmm/machine/make_net.h"

#include "api/command/device_names.h"
#include "virtio/backend/handshake/handshake_backend.h"
#include "virtio/backend/mmds/mmds_backend.h"
#include "virtio/backend/passt.h"
#include "virtio/backend/stream_net.h"
#include "virtio/backend/tap.h"
#include "virtio/net/virtio_net.h"
#include "virtio/transport/pci/option_rom.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/machine/rate_limits.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <optional>
#include <string>
#include <utility>

#include <arpa/inet.h>
#include <unistd.h>

namespace coldstart {
namespace {

// For a BIOS. UEFI passes over what is in it and uses its own driver and network stack, which does
// all that iPXE's EFI driver would.
constexpr const char* usual_rom_path = "/usr/lib/ipxe/qemu/pxe-virtio.rom";

MacAddress address_of(const NetConfig& net, const BoardDevice& entry, const VmConfig& config) {
    // With the TAP's name in it, two machines on one bridge have different addresses.
    if (net.mac.empty())
        return MacAddress::derived_from(
            cat(config.id, "/", net_name(config, entry.unit), "/", net.tap));
    if (const auto mac = MacAddress::parse(net.mac))
        return *mac;
    throw UsageError(cat(entry.id, ": \"", printable(net.mac), "\" is no address of a card"),
                     "write mac=52:54:00:12:34:56, the first number even");
}

/// RFC 3927: 169.254/16 without its first and last 256.
std::optional<std::uint32_t> parse_link_local(const std::string& text) {
    in_addr parsed{};
    if (::inet_pton(AF_INET, text.c_str(), &parsed) != 1)
        return std::nullopt;
    const std::uint32_t address = ntohl(parsed.s_addr);
    const std::uint32_t third = address >> 8 & 0xff;
    const bool is_usable = address >> 16 == 0xa9fe && third != 0 && third != 0xff;
    return is_usable ? std::optional(address) : std::nullopt;
}

bool has_mmds(const VmConfig& config, std::size_t net) {
    return config.mmds && std::ranges::count(config.mmds->interfaces, net_name(config, net)) != 0;
}

/// Whether passt leads TCP connections of the host into the guest.
bool brings_connections(const NetConfig& net) {
    return net.kind == NetConfig::Kind::user &&
           std::ranges::any_of(net.forwards, [](const PortForward& forward) {
               return forward.protocol == PortForward::Protocol::tcp;
           });
}

std::unique_ptr<NetBackend> with_handshakes(std::unique_ptr<NetBackend> network, Clock& clock) {
    const auto* const passt = dynamic_cast<const StreamNetBackend*>(network.get());
    return std::make_unique<HandshakeBackend>(
        std::move(network), clock, [passt] { return passt == nullptr || passt->peer_has_read(); });
}

/// check_mmds() has looked at the configuration.
std::unique_ptr<NetBackend> with_mmds(std::unique_ptr<NetBackend> network, const DeviceHost& host) {
    const MmdsConfig& mmds = *host.config.mmds;
    MmdsOptions options;
    options.ipv4_address = parse_link_local(mmds.ipv4_address).value();
    options.service = {.needs_token = mmds.version == MmdsConfig::Version::v2,
                       .text_only = mmds.imds_compat};
    return std::make_unique<MmdsBackend>(std::move(network), *host.metadata, host.clock, options);
}

} // namespace

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

void check_mmds(const VmConfig& config, const MetadataSource* source) {
    if (!config.mmds)
        return;
    const MmdsConfig& mmds = *config.mmds;
    if (source == nullptr)
        throw UsageError("metadata service: there is no metadata for it", "name its source");
    if (mmds.interfaces.empty())
        throw UsageError("metadata service: no network interface leads to it", "name one");
    for (const std::string& interface : mmds.interfaces) {
        std::size_t net = 0;
        while (net < config.nets.size() && net_name(config, net) != interface)
            ++net;
        if (net == config.nets.size())
            throw UsageError(cat("metadata service: there is no network interface \"",
                                 printable(interface), "\""),
                             "name one that is configured");
    }
    if (!parse_link_local(mmds.ipv4_address))
        throw UsageError(cat("metadata service: ", printable(mmds.ipv4_address),
                             " is no usable link-local address"),
                         "choose one from 169.254.1.0 to 169.254.254.255");
}

std::unique_ptr<VirtioDevice> make_virtio_net(const BoardDevice& entry, const DeviceHost& host) {
    const NetConfig& net = host.config.nets.at(entry.unit);
    const VirtioNetOptions options{.mac = address_of(net, entry, host.config),
                                   .mtu = net.mtu,
                                   .clock = &host.clock,
                                   .receive_limit = rate_limit_of(net.receive_limiter),
                                   .transmit_limit = rate_limit_of(net.transmit_limiter)};
    auto backend =
        host.make_net ? host.make_net(net, host.reactor) : make_host_backend(net, host.reactor);
    if (brings_connections(net))
        backend = with_handshakes(std::move(backend), host.clock);
    if (has_mmds(host.config, entry.unit))
        backend = with_mmds(std::move(backend), host);
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
