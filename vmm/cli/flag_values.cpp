#include "vmm/cli/flag_values.h"

#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include <sys/un.h>

namespace coldstart {
namespace {

constexpr std::size_t max_id_chars = 64;
constexpr std::uint64_t max_boot_index = 9999;
constexpr std::uint64_t max_port = 65535;
constexpr std::uint64_t min_guest_cid = 3, max_guest_cid = 0xffff'fffe; // 2 is the host
constexpr std::size_t max_disk_serial_chars = 20;                       // VIRTIO_BLK_ID_BYTES
constexpr std::size_t max_socket_path_chars = sizeof(sockaddr_un::sun_path) - 1;
constexpr double max_timeout_s = 1e9; // 31 years: keeps the deadline far from wrapping

/// "--disk readonly=maybe": how every message of this file begins.
std::string shown(std::string_view flag, std::string_view value) {
    return cat(flag, ' ', printable(value, 60));
}

bool is_id_char(char c) noexcept {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

struct KeyValue {
    std::string key, value;
};

/// Splits at single commas; two commas stand for one inside a value.
std::vector<std::string> split_items(std::string_view text) {
    std::vector<std::string> items(1);
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != ',') {
            items.back() += text[i];
        } else if (i + 1 < text.size() && text[i + 1] == ',') {
            items.back() += ',';
            ++i;
        } else {
            items.emplace_back();
        }
    }
    return items;
}

/// What differs between the flags that are lists of items.
struct ItemRules {
    std::string_view first;     ///< how a list begins: the remedy when the first item has no '='
    std::string_view bare = {}; ///< the one item that has no value
    std::string_view repeatable = {};
};

std::vector<KeyValue> parse_items(std::string_view flag, std::string_view text,
                                  const ItemRules& rules) {
    std::vector<KeyValue> pairs;
    for (const std::string& item : split_items(text)) {
        const std::size_t equals = item.find('=');
        if (item.empty())
            throw UsageError(shown(flag, text) + ": an empty item",
                             "items are KEY=VALUE joined by single commas");
        const bool is_bare = !rules.bare.empty() && item == rules.bare;
        if (equals == std::string::npos && !is_bare)
            throw UsageError(cat(shown(flag, text), ": '", printable(item, 60), "' has no '='"),
                             pairs.empty() ? cat("write ", rules.first, printable(item, 60))
                                           : "items are KEY=VALUE; a comma inside a value is ',,'");
        KeyValue pair{item.substr(0, equals), is_bare ? "" : item.substr(equals + 1)};
        if (pair.value.empty() && !is_bare)
            throw UsageError(cat(shown(flag, text), ": ", printable(pair.key), "= has no value"));
        if (pair.key != rules.repeatable &&
            std::any_of(pairs.begin(), pairs.end(),
                        [&](const KeyValue& earlier) { return earlier.key == pair.key; }))
            throw UsageError(cat(shown(flag, text), ": ", printable(pair.key), is_bare ? "" : "=",
                                 " is given twice"));
        pairs.push_back(std::move(pair));
    }
    return pairs;
}

bool parse_switch(std::string_view flag, const KeyValue& item) {
    if (item.value != "on" && item.value != "off")
        throw UsageError(shown(flag, item.key + "=" + item.value) + ": not a switch",
                         "accepted: on, off");
    return item.value == "on";
}

DiskCache parse_cache(std::string_view flag, const std::string& value) {
    if (value == "writeback")
        return DiskCache::writeback;
    if (value == "none")
        return DiskCache::none;
    if (value == "unsafe")
        return DiskCache::unsafe;
    throw UsageError(shown(flag, "cache=" + value) + ": unknown cache mode",
                     "accepted: writeback, none, unsafe");
}

std::uint32_t parse_boot_index(std::string_view flag, const std::string& value) {
    const auto index = parse_decimal(value);
    if (!index || *index > max_boot_index)
        throw UsageError(shown(flag, "bootindex=" + value) + ": not a boot index",
                         cat("accepted: 0 to ", max_boot_index, ", lower ones first"));
    return static_cast<std::uint32_t>(*index);
}

void store_disk_item(DiskConfig& disk, std::string_view flag, const KeyValue& item) {
    const std::string whole = item.key + "=" + item.value;
    if (item.key == "path") {
        disk.path = item.value;
    } else if (item.key == "format") {
        if (item.value != "raw")
            throw UsageError(shown(flag, whole) + ": only raw images are supported",
                             "convert it: qemu-img convert -O raw IMAGE disk.raw");
    } else if (item.key == "readonly") {
        disk.read_only = parse_switch(flag, item);
    } else if (item.key == "id") {
        disk.id = parse_id_flag(cat(flag, " id"), item.value);
    } else if (item.key == "serial") {
        const bool ascii = std::all_of(item.value.begin(), item.value.end(),
                                       [](char c) { return c >= 0x20 && c < 0x7f; });
        if (item.value.size() > max_disk_serial_chars || !ascii)
            throw UsageError(shown(flag, whole) + ": not a disk serial number",
                             "accepted: up to 20 printable ASCII characters");
        disk.serial = item.value;
    } else if (item.key == "cache") {
        disk.cache = parse_cache(flag, item.value);
    } else if (item.key == "bus") {
        if (item.value != "virtio" && item.value != "sata")
            throw UsageError(shown(flag, whole) + ": unknown bus", "accepted: virtio, sata");
        disk.bus = item.value == "sata" ? DiskBus::sata : DiskBus::virtio;
    } else if (item.key == "bootindex") {
        disk.boot_index = parse_boot_index(flag, item.value);
    } else {
        throw UsageError(shown(flag, whole) + ": unknown key",
                         "accepted: path, format, readonly, id, serial, cache, bus, bootindex");
    }
}

/// tcp:HOST:GUEST or udp:HOST:GUEST
PortForward parse_forward(std::string_view flag, const std::string& value) {
    const std::size_t colon = value.find(':'), second = value.find(':', colon + 1);
    const std::string protocol = value.substr(0, colon);
    const bool has_ports = colon != std::string::npos && second != std::string::npos;
    const auto port = [](std::string_view digits) -> std::uint16_t { // 0: none
        const auto number = parse_decimal(digits);
        return static_cast<std::uint16_t>(number && *number <= max_port ? *number : 0);
    };
    PortForward forward;
    if (has_ports) {
        forward.host_port = port(value.substr(colon + 1, second - colon - 1));
        forward.guest_port = port(value.substr(second + 1));
    }
    if ((protocol != "tcp" && protocol != "udp") || forward.host_port == 0 ||
        forward.guest_port == 0)
        throw UsageError(shown(flag, "forward=" + value) + ": not a forwarded port",
                         "write it like forward=tcp:8080:80, the host's port and the guest's");
    forward.protocol = protocol == "udp" ? PortForward::Protocol::udp : PortForward::Protocol::tcp;
    return forward;
}

void store_net_item(NetConfig& net, std::string_view flag, const KeyValue& item) {
    if (item.key == "user") {
        if (!item.value.empty())
            throw UsageError(cat(flag, " user=: takes no value"), "write user, or tap=NAME");
        net.kind = NetConfig::Kind::user;
    } else if (item.key == "tap") {
        net.kind = NetConfig::Kind::tap;
        net.tap = item.value;
    } else if (item.key == "mac") {
        net.mac = item.value;
    } else if (item.key == "id") {
        net.id = parse_id_flag(cat(flag, " id"), item.value);
    } else if (item.key == "bootindex") {
        net.bootindex = parse_boot_index(flag, item.value);
    } else if (item.key == "rom") {
        net.rom_path = item.value == "none" ? "" : item.value;
    } else if (item.key == "forward") {
        net.forwards.push_back(parse_forward(flag, item.value));
    } else {
        throw UsageError(shown(flag, item.key + "=" + item.value) + ": unknown key",
                         "accepted: tap, user, forward, mac, id, bootindex, rom");
    }
}

} // namespace

std::string parse_kernel_cache_flag(std::string_view flag, std::string_view value) {
    if (value.empty())
        throw UsageError(cat(flag, ": no folder is named"), "name one, or say off");
    return value == "off" ? std::string() : std::string(value);
}

std::uint64_t parse_memory_flag(std::string_view flag, std::string_view value) {
    const auto size_bytes = parse_byte_size(value);
    if (!size_bytes)
        throw UsageError(shown(flag, value) + ": not a size", "write it like 256M or 2G");
    const bool bare_number = value.find_first_not_of("0123456789") == std::string_view::npos;
    if (*size_bytes < min_memory_bytes)
        throw UsageError(cat(shown(flag, value), ": less than the ",
                             format_byte_size(min_memory_bytes), " a guest needs"),
                         bare_number && *size_bytes != 0 ? cat("did you mean ", value, "M?")
                                                         : "write it like 256M or 2G");
    if (*size_bytes > max_memory_bytes)
        throw UsageError(cat(shown(flag, value), ": more than the limit of ",
                             format_byte_size(max_memory_bytes)));
    if (*size_bytes % page_size_bytes != 0)
        throw UsageError(
            shown(flag, value) + ": not a multiple of 4K",
            cat("the next one is ", format_byte_size(align_up(*size_bytes, page_size_bytes))));
    return *size_bytes;
}

std::uint32_t parse_cpus_flag(std::string_view flag, std::string_view value) {
    const auto cpus = parse_decimal(value);
    if (!cpus || *cpus == 0 || *cpus > max_cpus)
        throw UsageError(shown(flag, value) + ": not a number of CPUs",
                         cat("accepted: 1 to ", max_cpus));
    return static_cast<std::uint32_t>(*cpus);
}

double parse_seconds_flag(std::string_view flag, std::string_view value) {
    double seconds = 0;
    const char* end = value.data() + value.size();
    const auto result = std::from_chars(value.data(), end, seconds, std::chars_format::fixed);
    // from_chars also reads "inf" and "nan", which the comparison turns away.
    if (result.ec != std::errc{} || result.ptr != end || !(seconds > 0 && seconds <= max_timeout_s))
        throw UsageError(shown(flag, value) + ": not a number of seconds",
                         "accepted: more than 0, like 30 or 2.5, up to 1000000000");
    return seconds;
}

std::string parse_id_flag(std::string_view flag, std::string_view value) {
    if (value.empty() || value.size() > max_id_chars ||
        !std::all_of(value.begin(), value.end(), is_id_char))
        throw UsageError(shown(flag, value) + ": not an identifier",
                         "accepted: 1 to 64 characters of A-Z a-z 0-9 and '-'");
    return std::string(value);
}

DiskConfig parse_disk_flag(std::string_view flag, std::string_view value) {
    DiskConfig disk;
    for (const KeyValue& item : parse_items(flag, value, {.first = "path="}))
        store_disk_item(disk, flag, item);
    if (disk.path.empty())
        throw UsageError(shown(flag, value) + ": path= is missing", "write path=FILE");
    return disk;
}

NetConfig parse_net_flag(std::string_view flag, std::string_view value) {
    NetConfig net;
    const auto items =
        parse_items(flag, value, {.first = "tap=", .bare = "user", .repeatable = "forward"});
    for (const KeyValue& item : items)
        store_net_item(net, flag, item);
    const auto ways = std::count_if(items.begin(), items.end(), [](const KeyValue& item) {
        return item.key == "user" || item.key == "tap";
    });
    if (ways != 1)
        throw UsageError(shown(flag, value) + (ways == 0 ? ": which network?" : ": two networks"),
                         "write tap=NAME or user, one of them");
    if (net.kind == NetConfig::Kind::tap && !net.forwards.empty())
        throw UsageError(shown(flag, value) + ": forward= goes with user",
                         "a TAP interface is a link of its own: reach the guest by its address");
    return net;
}

BalloonConfig parse_balloon_flag(std::string_view flag, std::string_view value) {
    BalloonConfig balloon;
    const std::size_t comma = value.find(',');
    const auto size_bytes = parse_byte_size(value.substr(0, comma));
    if (!size_bytes || *size_bytes % MiB != 0 || *size_bytes > max_memory_bytes)
        throw UsageError(shown(flag, value) + ": not a size in whole MiB",
                         "write it like 64M, or 64M,deflate-on-oom=on");
    balloon.amount_mib = static_cast<std::uint32_t>(*size_bytes / MiB);
    if (comma == std::string_view::npos)
        return balloon;
    for (const KeyValue& item : parse_items(flag, value.substr(comma + 1), {.first = "KEY="})) {
        if (item.key == "deflate-on-oom")
            balloon.deflate_on_oom = parse_switch(flag, item);
        else if (item.key == "reporting")
            balloon.free_page_reporting = parse_switch(flag, item);
        else
            throw UsageError(shown(flag, item.key + "=" + item.value) + ": unknown key",
                             "accepted: deflate-on-oom, reporting");
    }
    return balloon;
}

VsockConfig parse_vsock_flag(std::string_view flag, std::string_view value) {
    VsockConfig vsock{.guest_cid = 0, .uds_path = {}};
    for (const KeyValue& item : parse_items(flag, value, {.first = "path="})) {
        const std::string whole = item.key + "=" + item.value;
        if (item.key == "cid") {
            const auto cid = parse_decimal(item.value);
            if (!cid || *cid < min_guest_cid || *cid > max_guest_cid)
                throw UsageError(shown(flag, whole) + ": not a CID of a guest",
                                 cat("accepted: ", min_guest_cid, " to ", max_guest_cid));
            vsock.guest_cid = static_cast<std::uint32_t>(*cid);
        } else if (item.key == "path") {
            if (item.value.size() > max_socket_path_chars)
                throw UsageError(shown(flag, whole) + ": the path is too long for a Unix socket",
                                 cat("accepted: up to ", max_socket_path_chars, " bytes"));
            vsock.uds_path = item.value;
        } else {
            throw UsageError(shown(flag, whole) + ": unknown key", "accepted: cid, path");
        }
    }
    if (vsock.guest_cid == 0 || vsock.uds_path.empty())
        throw UsageError(
            cat(shown(flag, value), ": ", vsock.guest_cid == 0 ? "cid=" : "path=", " is missing"),
            "write it like cid=3,path=vm.vsock");
    return vsock;
}

SerialConfig parse_serial_flag(std::string_view flag, std::string_view value) {
    using Kind = SerialConfig::Kind;
    static constexpr std::pair<std::string_view, Kind> plain[] = {
        {"stdio", Kind::stdio}, {"none", Kind::none}, {"pty", Kind::pty}};
    for (const auto& [name, kind] : plain) {
        if (value == name)
            return {kind, ""};
    }
    static constexpr std::pair<std::string_view, Kind> with_path[] = {{"file=", Kind::file},
                                                                      {"socket=", Kind::socket}};
    for (const auto& [prefix, kind] : with_path) {
        if (!value.starts_with(prefix))
            continue;
        const std::string path(value.substr(prefix.size()));
        if (path.empty())
            throw UsageError(shown(flag, value) + ": the path is missing");
        if (kind == Kind::socket && path.size() > max_socket_path_chars)
            throw UsageError(shown(flag, value) + ": the path is too long for a Unix socket",
                             cat("accepted: up to ", max_socket_path_chars, " bytes"));
        return {kind, path};
    }
    throw UsageError(shown(flag, value) + ": unknown kind of serial port",
                     "accepted: stdio, none, file=FILE, socket=FILE, pty");
}

} // namespace coldstart
