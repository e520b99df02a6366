#include "vmm/cli/ctl/format.h"
#include "vmm/cli/ctl/json_cells.h"

#include <utility>

namespace coldstart {
namespace {

/// {"size": 1048576, "refill_time": 100} as "10.0 MiB/s" or "500 operations/s"
std::string bucket_text(const Json& limiter, std::string_view name, bool bytes) {
    const Json* const bucket = member(limiter, name);
    if (bucket == nullptr)
        return {};
    const auto size = whole(*bucket, "size"), refill_ms = whole(*bucket, "refill_time");
    if (!size || !refill_ms || *refill_ms == 0)
        return {};
    const auto rate = static_cast<std::uint64_t>(static_cast<double>(*size) * 1000 /
                                                 static_cast<double>(*refill_ms));
    return bytes ? cat("at most ", bytes_text(rate), "/s") : cat("at most ", rate, " operations/s");
}

void add_limits(std::string& list, const Json& object, std::string_view name,
                std::string_view direction) {
    const Json* const limiter = member(object, name);
    if (limiter == nullptr)
        return;
    for (const bool bytes : {true, false}) {
        const std::string limit = bucket_text(*limiter, bytes ? "bandwidth" : "ops", bytes);
        if (!limit.empty())
            add_item(list, direction.empty() ? limit : cat(direction, ' ', limit));
    }
}

std::string machine_text(const Json& machine) {
    std::string list;
    if (const auto cpus = whole(machine, "vcpu_count"))
        add_item(list, cat(*cpus, *cpus == 1 ? " CPU" : " CPUs"));
    if (const auto mib = whole(machine, "mem_size_mib"))
        add_item(list, mib_text(*mib));
    if (is_true(machine, "smt"))
        add_item(list, "SMT");
    if (is_true(machine, "track_dirty_pages"))
        add_item(list, "dirty pages tracked");
    const std::string pages = cell(machine, "huge_pages");
    if (!pages.empty() && pages != "None")
        add_item(list, cat("huge pages ", pages));
    return list;
}

std::string drive_traits(const Json& drive) {
    std::string list;
    if (is_true(drive, "is_root_device"))
        add_item(list, "root");
    add_item(list, is_true(drive, "is_read_only") ? "read-only" : "read-write");
    add_item(list, cell(drive, "bus"));
    if (member(drive, "partuuid") != nullptr)
        add_item(list, cat("partition ", cell(drive, "partuuid")));
    if (member(drive, "bootindex") != nullptr)
        add_item(list, cat("boot index ", cell(drive, "bootindex")));
    add_limits(list, drive, "rate_limiter", "");
    return list;
}

std::string network_traits(const Json& network) {
    std::string list;
    add_item(list, cell(network, "guest_mac"));
    if (member(network, "mtu") != nullptr)
        add_item(list, cat("MTU ", cell(network, "mtu")));
    add_limits(list, network, "rx_rate_limiter", "receives");
    add_limits(list, network, "tx_rate_limiter", "sends");
    return list;
}

std::string network_host_side(const Json& network) {
    const std::string tap = cell(network, "host_dev_name");
    return tap.empty() ? cell(network, "backend") : cat("tap ", tap);
}

std::string balloon_traits(const Json& balloon) {
    std::string list = mib_text(whole(balloon, "amount_mib").value_or(0));
    if (is_true(balloon, "deflate_on_oom"))
        add_item(list, "deflates when memory is short");
    if (is_true(balloon, "free_page_reporting"))
        add_item(list, "free page reporting");
    if (is_true(balloon, "free_page_hinting"))
        add_item(list, "free page hinting");
    const auto interval = whole(balloon, "stats_polling_interval_s");
    if (interval && *interval > 0)
        add_item(list, cat("statistics every ", *interval, " s"));
    return list;
}

std::string metadata_traits(const Json& mmds) {
    std::string on;
    if (const Json* const interfaces = member(mmds, "network_interfaces")) {
        for (const Json& name : *interfaces)
            add_item(on, name.is_string() ? printable(name.get<std::string>()) : "");
    }
    return cat(cell(mmds, "version"), " at ", cell(mmds, "ipv4_address"),
               on.empty() ? "" : cat(" on ", on));
}

std::string entropy_traits(const Json& entropy) {
    std::string list = "yes";
    add_limits(list, entropy, "rate_limiter", "");
    return list;
}

void add_pair(TextTable& table, std::string_view label, std::string value) {
    if (!value.empty())
        table.add({std::string(label), std::move(value)});
}

/// What is booted, and on which board.
void add_boot(TextTable& table, const Json& config) {
    if (const Json* const platform = member(config, "platform")) {
        std::string list = cat("board ", cell(*platform, "board"));
        add_item(list, cat("boot by ", cell(*platform, "boot_mode")));
        add_item(list, cat("on reboot ", cell(*platform, "on_reboot")));
        constexpr std::pair<std::string_view, std::string_view> choices[] = {
            {"load", "load by "},
            {"kernel_cache", "kernel cache "},
            {"irqchip", "irqchip "},
            {"acpi", "ACPI "},
            {"smm", "SMM "}};
        for (const auto& [key, label] : choices) {
            if (member(*platform, key) != nullptr)
                add_item(list, cat(label, cell(*platform, key)));
        }
        add_pair(table, "platform", list);
    }
    if (const Json* const firmware = member(config, "firmware")) {
        add_pair(table, "firmware", cell(*firmware, "image_path"));
        add_pair(table, "variables", cell(*firmware, "nvram_path"));
    }
    if (const Json* const source = member(config, "boot-source")) {
        add_pair(table, "kernel", cell(*source, "kernel_image_path"));
        add_pair(table, "initrd", cell(*source, "initrd_path"));
        add_pair(table, "arguments", cell(*source, "boot_args"));
    }
}

void add_list(TextTable& table, const Json& config, std::string_view section,
              std::vector<std::string> (*row)(const Json&)) {
    const Json* const list = member(config, section);
    if (list == nullptr || !list->is_array())
        return;
    for (const Json& item : *list)
        table.add(row(item));
}

} // namespace

std::string info_text(const Json& instance, const Json& config) {
    TextTable table;
    add_pair(table, "id", cell(instance, "id"));
    add_pair(table, "state", cell(instance, "state"));
    add_pair(table, "API", cell(instance, "vmm_version"));
    if (const Json* const machine = member(config, "machine-config"))
        add_pair(table, "machine", machine_text(*machine));
    add_boot(table, config);
    add_list(table, config, "drives", [](const Json& drive) {
        return std::vector<std::string>{"drive", cell(drive, "drive_id"),
                                        cell(drive, "path_on_host"), drive_traits(drive)};
    });
    if (const Json* const cdrom = member(config, "cdrom"))
        add_pair(table, "cdrom", cell(*cdrom, "path_on_host"));
    add_list(table, config, "network-interfaces", [](const Json& network) {
        return std::vector<std::string>{"network", cell(network, "iface_id"),
                                        network_host_side(network), network_traits(network)};
    });
    if (const Json* const vsock = member(config, "vsock"))
        table.add({"vsock", cat("CID ", cell(*vsock, "guest_cid")), cell(*vsock, "uds_path")});
    if (const Json* const balloon = member(config, "balloon"))
        add_pair(table, "balloon", balloon_traits(*balloon));
    if (const Json* const entropy = member(config, "entropy"))
        add_pair(table, "entropy", entropy_traits(*entropy));
    if (const Json* const mmds = member(config, "mmds-config"))
        add_pair(table, "metadata", metadata_traits(*mmds));
    if (const Json* const display = member(config, "display"))
        add_pair(table, "display", cell(*display, "adapter"));
    return table.text();
}

std::string drive_text(const Json& drive) {
    TextTable table;
    add_pair(table, "id", cell(drive, "drive_id"));
    add_pair(table, "file", cell(drive, "path_on_host"));
    add_pair(table, "use", drive_traits(drive));
    add_pair(table, "cache", cell(drive, "cache_type"));
    add_pair(table, "engine", cell(drive, "io_engine"));
    add_pair(table, "serial", cell(drive, "serial"));
    return table.text();
}

std::string balloon_text(const Json& balloon, const Json& statistics) {
    TextTable table;
    if (const auto target = whole(statistics, "target_mib"))
        add_pair(table, "target", mib_text(*target));
    if (const auto actual = whole(statistics, "actual_mib"))
        add_pair(table, "taken", mib_text(*actual));
    add_pair(table, "configured", balloon_traits(balloon));
    if (!statistics.is_object())
        return table.text();
    for (const auto& [name, value] : statistics.items()) {
        const bool told_above = name == "target_mib" || name == "actual_mib" ||
                                name == "target_pages" || name == "actual_pages";
        if (told_above || !value.is_number_unsigned())
            continue;
        std::string label = printable(name);
        for (char& letter : label)
            letter = letter == '_' ? ' ' : letter;
        const bool bytes = name == "swap_in" || name == "swap_out" || name == "disk_caches" ||
                           name.ends_with("_memory");
        const auto number = value.get<std::uint64_t>();
        add_pair(table, label, bytes ? bytes_text(number) : cat(number));
    }
    return table.text();
}

} // namespace coldstart
