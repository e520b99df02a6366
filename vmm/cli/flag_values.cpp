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
constexpr std::size_t max_disk_serial_chars = 20; // VIRTIO_BLK_ID_BYTES
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

std::vector<KeyValue> parse_items(std::string_view flag, std::string_view text) {
    std::vector<KeyValue> pairs;
    for (const std::string& item : split_items(text)) {
        const std::size_t equals = item.find('=');
        if (item.empty())
            throw UsageError(shown(flag, text) + ": an empty item",
                             "items are KEY=VALUE joined by single commas");
        if (equals == std::string::npos)
            throw UsageError(cat(shown(flag, text), ": '", printable(item, 60), "' has no '='"),
                             pairs.empty() ? cat("write path=", printable(item, 60))
                                           : "items are KEY=VALUE; a comma inside a value is ',,'");
        KeyValue pair{item.substr(0, equals), item.substr(equals + 1)};
        if (pair.value.empty())
            throw UsageError(cat(shown(flag, text), ": ", printable(pair.key), "= has no value"));
        if (std::any_of(pairs.begin(), pairs.end(),
                        [&](const KeyValue& earlier) { return earlier.key == pair.key; }))
            throw UsageError(cat(shown(flag, text), ": ", printable(pair.key), "= is given twice"));
        pairs.push_back(std::move(pair));
    }
    return pairs;
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

void store_disk_item(DiskConfig& disk, std::string_view flag, const KeyValue& item) {
    const std::string whole = item.key + "=" + item.value;
    if (item.key == "path") {
        disk.path = item.value;
    } else if (item.key == "format") {
        if (item.value != "raw")
            throw UsageError(shown(flag, whole) + ": only raw images are supported",
                             "convert it: qemu-img convert -O raw IMAGE disk.raw");
    } else if (item.key == "readonly") {
        if (item.value != "on" && item.value != "off")
            throw UsageError(shown(flag, whole) + ": not a switch", "accepted: on, off");
        disk.read_only = item.value == "on";
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
        const auto index = parse_decimal(item.value);
        if (!index || *index > max_boot_index)
            throw UsageError(shown(flag, whole) + ": not a boot index",
                             cat("accepted: 0 to ", max_boot_index, ", lower ones first"));
        disk.boot_index = static_cast<std::uint32_t>(*index);
    } else {
        throw UsageError(shown(flag, whole) + ": unknown key",
                         "accepted: path, format, readonly, id, serial, cache, bus, bootindex");
    }
}

} // namespace

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
    for (const KeyValue& item : parse_items(flag, value))
        store_disk_item(disk, flag, item);
    if (disk.path.empty())
        throw UsageError(shown(flag, value) + ": path= is missing", "write path=FILE");
    return disk;
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
