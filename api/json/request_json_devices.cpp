#include "api/json/limiter_json.h"
#include "api/json/request_json.h"
#include "vmm/base/text.h"

namespace coldstart {
namespace {

using PathId = std::optional<std::string_view>;

constexpr std::uint64_t any_u32 = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t max_interval_s = 65535;
constexpr std::uint64_t min_mtu = 68; // virtio 1.2, section 5.1.4.1

std::string named(Members& members, std::string_view field, PathId path_id) {
    std::string id = members.required_text(field);
    // Firecracker checks the signs of ids in paths alone, not in configuration files.
    if (path_id)
        check_resource_id(cat(members.what(), ": ", field), id);
    else if (id.empty())
        members.refuse(field, "it is empty");
    if (path_id && *path_id != id)
        members.refuse(field, cat("\"", printable(id), "\" is not the id in the path, \"",
                                  printable(*path_id), "\""));
    return id;
}

/// null and absent limit nothing.
RateLimiterConfig limiter(Members& members, std::string_view name) {
    const Json* const value = members.value(name);
    return value == nullptr ? RateLimiterConfig{}
                            : rate_limiter(*value, cat(members.what(), ": ", name));
}

} // namespace

namespace body {

ParsedRequest put_drive(const Json& json, PathId path_id) {
    Members members(json, "drives");
    DiskConfig disk;
    disk.lenient = true;
    disk.id = named(members, "drive_id", path_id);
    disk.is_root = members.required_boolean("is_root_device");
    if (members.has("socket"))
        members.refuse("socket", "vhost-user drives are not built here; give path_on_host");
    members.value("socket");
    disk.path = members.required_text("path_on_host");
    disk.read_only = members.boolean("is_read_only").value_or(false);
    disk.partuuid = members.text("partuuid").value_or("");
    disk.cache = members
                     .word<DiskCache>("cache_type", {{"Unsafe", DiskCache::unsafe},
                                                     {"Writeback", DiskCache::writeback},
                                                     {"Direct", DiskCache::none}})
                     .value_or(DiskCache::unsafe);
    disk.async_engine =
        members.word<bool>("io_engine", {{"Sync", false}, {"Async", true}}).value_or(false);
    disk.limiter = limiter(members, "rate_limiter");
    disk.bus = members.word<DiskBus>("bus", {{"virtio", DiskBus::virtio}, {"sata", DiskBus::sata}})
                   .value_or(DiskBus::virtio);
    if (const auto index = members.integer("bootindex", any_u32))
        disk.boot_index = static_cast<std::uint32_t>(*index);
    disk.serial = members.text("serial").value_or("");
    members.done();
    return {PutDrive{disk}};
}

ParsedRequest patch_drive(const Json& json, PathId path_id) {
    Members members(json, "drives");
    PatchDrive patch;
    patch.id = named(members, "drive_id", path_id);
    patch.path = members.text("path_on_host");
    patch.limiter = limiter(members, "rate_limiter");
    const bool limits = members.has("rate_limiter");
    members.done();
    if (!patch.path && !limits)
        throw Error("drives: the patch changes nothing; give path_on_host or rate_limiter");
    return {patch};
}

ParsedRequest put_network_interface(const Json& json, PathId path_id) {
    Members members(json, "network-interfaces");
    NetConfig net;
    net.id = named(members, "iface_id", path_id);
    net.kind = members
                   .word<NetConfig::Kind>(
                       "backend", {{"tap", NetConfig::Kind::tap}, {"user", NetConfig::Kind::user}})
                   .value_or(NetConfig::Kind::tap);
    if (net.kind == NetConfig::Kind::tap) {
        net.tap = members.required_text("host_dev_name");
        if (net.tap.empty() || net.tap.size() > 15)
            members.refuse("host_dev_name", "the name of an interface has 1 to 15 characters");
    } else if (members.has("host_dev_name")) {
        members.refuse("host_dev_name", "a user network has no interface of the host");
    }
    members.value("host_dev_name"); // null is taken, as GET /vm/config has it
    if (auto mac = members.text("guest_mac")) {
        if (mac->empty())
            members.refuse("guest_mac", "an empty text is no address");
        net.mac = *std::move(mac);
    }
    if (const auto mtu = members.integer("mtu", 65535, min_mtu))
        net.mtu = static_cast<std::uint16_t>(*mtu);
    net.receive_limiter = limiter(members, "rx_rate_limiter");
    net.transmit_limiter = limiter(members, "tx_rate_limiter");
    if (const auto index = members.integer("bootindex", any_u32))
        net.bootindex = static_cast<std::uint32_t>(*index);
    members.done();
    return {PutNetworkInterface{net}};
}

ParsedRequest patch_network_interface(const Json& json, PathId path_id) {
    Members members(json, "network-interfaces");
    PatchNetworkInterface patch;
    patch.id = named(members, "iface_id", path_id);
    patch.receive_limiter = limiter(members, "rx_rate_limiter");
    patch.transmit_limiter = limiter(members, "tx_rate_limiter");
    members.done();
    return {patch};
}

ParsedRequest put_vsock(const Json& json, PathId) {
    Members members(json, "vsock");
    const bool deprecated = members.text("vsock_id").has_value(); // of any form, as in Firecracker
    VsockConfig vsock;
    vsock.guest_cid = static_cast<std::uint32_t>(
        members.required_integer("guest_cid", any_u32 - 1, 3)); // 0 to 2 and the last are taken
    vsock.uds_path = members.required_text("uds_path");
    members.done();
    return {PutVsock{vsock}, deprecated};
}

ParsedRequest put_balloon(const Json& json, PathId) {
    Members members(json, "balloon");
    BalloonConfig balloon;
    balloon.amount_mib =
        static_cast<std::uint32_t>(members.required_integer("amount_mib", any_u32));
    balloon.deflate_on_oom = members.required_boolean("deflate_on_oom");
    balloon.statistics_interval_s = static_cast<std::uint32_t>(
        members.integer("stats_polling_interval_s", max_interval_s).value_or(0));
    balloon.free_page_hinting = members.boolean("free_page_hinting").value_or(false);
    balloon.free_page_reporting = members.boolean("free_page_reporting").value_or(false);
    members.done();
    return {PutBalloon{balloon}};
}

ParsedRequest patch_balloon(const Json& json, PathId) {
    Members members(json, "balloon");
    PatchBalloon patch;
    patch.amount_mib = static_cast<std::uint32_t>(members.required_integer("amount_mib", any_u32));
    members.done();
    return {patch};
}

ParsedRequest patch_balloon_statistics(const Json& json, PathId) {
    Members members(json, "balloon/statistics");
    PatchBalloonStatistics patch;
    patch.interval_s = static_cast<std::uint32_t>(
        members.required_integer("stats_polling_interval_s", max_interval_s));
    members.done();
    return {patch};
}

ParsedRequest start_balloon_hinting(const Json& json, PathId) {
    Members members(json, "balloon/hinting");
    StartBalloonHinting start;
    start.acknowledge_on_stop = members.boolean("acknowledge_on_stop").value_or(true);
    members.done();
    return {start};
}

ParsedRequest stop_balloon_hinting(const Json& json, PathId) {
    Members members(json, "balloon/hinting");
    members.done();
    return {StopBalloonHinting{}};
}

ParsedRequest put_entropy(const Json& json, PathId) {
    Members members(json, "entropy");
    PutEntropy entropy;
    entropy.limiter = limiter(members, "rate_limiter");
    members.done();
    return {entropy};
}

ParsedRequest put_mmds_config(const Json& json, PathId) {
    Members members(json, "mmds/config");
    MmdsConfig mmds;
    const Json& names = members.required_value("network_interfaces");
    if (!names.is_array())
        members.refuse("network_interfaces", "an array of ids is expected");
    for (const Json& name : names) {
        if (!name.is_string())
            members.refuse("network_interfaces", "an array of ids is expected");
        mmds.interfaces.push_back(name.get<std::string>());
    }
    const auto version = members.word<MmdsConfig::Version>(
        "version", {{"V1", MmdsConfig::Version::v1}, {"V2", MmdsConfig::Version::v2}});
    mmds.version = version.value_or(MmdsConfig::Version::v1);
    if (auto address = members.text("ipv4_address"))
        mmds.ipv4_address = *std::move(address);
    mmds.imds_compat = members.boolean("imds_compat").value_or(false);
    members.done();
    const bool deprecated = mmds.version == MmdsConfig::Version::v1;
    return {PutMmdsConfig{mmds}, deprecated};
}

} // namespace body
} // namespace coldstart
