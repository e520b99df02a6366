#include "api/json/config_file.h"

#include "api/command/device_names.h"
#include "api/json/limiter_json.h"
#include "vmm/base/text.h"

namespace coldstart {
namespace {

struct Section {
    std::string_view name;
    BodyParser parse;
    bool is_list = false;
};

// In this order: what a section is checked against comes before it.
constexpr Section sections[] = {
    {"logger", body::put_logger},
    {"metrics", body::put_metrics},
    {"machine-config", body::put_machine_config},
    {"platform", body::put_platform},
    {"cpu-config", body::put_cpu_config},
    {"firmware", body::put_firmware},
    {"boot-source", body::put_boot_source},
    {"drives", body::put_drive, true},
    {"cdrom", body::put_cdrom},
    {"display", body::put_display},
    {"network-interfaces", body::put_network_interface, true},
    {"vsock", body::put_vsock},
    {"balloon", body::put_balloon},
    {"mmds-config", body::put_mmds_config},
    {"entropy", body::put_entropy},
    {"serial", body::put_serial},
    {"pmem", body::persistent_memory, true},
    {"memory-hotplug", body::memory_hotplug},
};

Json text_or_null(const std::string& text) {
    return text.empty() ? Json(nullptr) : Json(text);
}

template <typename Value>
Json value_or_null(const std::optional<Value>& value) {
    return value ? Json(*value) : Json(nullptr);
}

Json drive_json(const VmConfig& config, std::size_t index) {
    const DiskConfig& disk = config.disks[index];
    const std::string_view cache = disk.cache == DiskCache::unsafe      ? "Unsafe"
                                   : disk.cache == DiskCache::writeback ? "Writeback"
                                                                        : "Direct";
    Json json = {{"drive_id", disk_name(config, index)},
                 {"partuuid", text_or_null(disk.partuuid)},
                 {"is_root_device", disk.is_root},
                 {"cache_type", cache},
                 {"is_read_only", disk.read_only},
                 {"path_on_host", disk.path},
                 {"rate_limiter", limiter_json(disk.limiter)},
                 {"io_engine", disk.async_engine ? "Async" : "Sync"},
                 {"socket", nullptr}};
    if (disk.bus == DiskBus::sata)
        json["bus"] = "sata";
    if (disk.boot_index)
        json["bootindex"] = *disk.boot_index;
    if (!disk.serial.empty())
        json["serial"] = disk.serial;
    return json;
}

Json network_json(const VmConfig& config, std::size_t index) {
    const NetConfig& net = config.nets[index];
    Json json = {{"iface_id", net_name(config, index)},
                 {"host_dev_name", text_or_null(net.tap)},
                 {"guest_mac", text_or_null(net.mac)},
                 {"mtu", net.mtu == 0 ? Json(nullptr) : Json(net.mtu)},
                 {"rx_rate_limiter", limiter_json(net.receive_limiter)},
                 {"tx_rate_limiter", limiter_json(net.transmit_limiter)}};
    if (net.kind == NetConfig::Kind::user)
        json["backend"] = "user";
    if (net.bootindex)
        json["bootindex"] = *net.bootindex;
    return json;
}

Json mmds_json(const MmdsConfig& mmds) {
    return {{"version", mmds.version == MmdsConfig::Version::v1 ? "V1" : "V2"},
            {"network_interfaces", mmds.interfaces},
            {"ipv4_address", mmds.ipv4_address},
            {"imds_compat", mmds.imds_compat}};
}

std::string_view load_mode_name(LoadMode mode) noexcept {
    switch (mode) {
    case LoadMode::copy:
        return "copy";
    case LoadMode::map:
        return "map";
    case LoadMode::automatic:
        break;
    }
    return "auto";
}

/// What is not as it is by itself.
Json platform_choices(const VmConfig& config) {
    Json choices = Json::object();
    if (config.load != LoadMode::automatic)
        choices["load"] = load_mode_name(config.load);
    if (config.kernel_cache_path)
        choices["kernel_cache"] =
            config.kernel_cache_path->empty() ? "off" : *config.kernel_cache_path;
    if (config.irqchip != IrqchipKind::automatic)
        choices["irqchip"] = config.irqchip == IrqchipKind::split ? "split" : "kernel";
    if (config.acpi != AcpiHardware::automatic)
        choices["acpi"] = config.acpi == AcpiHardware::reduced ? "reduced" : "fixed";
    if (config.smm != SmmMode::automatic)
        choices["smm"] = config.smm == SmmMode::on ? "on" : "off";
    return choices;
}

void add_platform(Json& json, const VmConfig& config) {
    Json platform = platform_choices(config);
    if (config.board == BoardKind::micro && config.boot == BootMode::automatic && platform.empty())
        return;
    platform["board"] = config.board == BoardKind::pc ? "pc" : "micro";
    platform["boot_mode"] = boot_mode_name(config.boot);
    platform["on_reboot"] = config.on_reboot == OnReboot::exit ? "exit" : "restart";
    json["platform"] = std::move(platform);
}

/// Sections of ours: only where they say something, for the sake of clients that know the others.
void add_own_sections(Json& json, const VmConfig& config) {
    if (!config.firmware_path.empty())
        json["firmware"] = {{"image_path", config.firmware_path},
                            {"nvram_path", text_or_null(config.nvram_path)},
                            {"nvram_template_path", text_or_null(config.nvram_template_path)}};
    add_platform(json, config);
    if (!config.cdrom_path.empty())
        json["cdrom"] = {{"path_on_host", config.cdrom_path}};
    if (config.vga == VgaKind::std_vga)
        json["display"] = {{"adapter", "std"}};
}

} // namespace

std::string_view boot_mode_name(BootMode mode) noexcept {
    switch (mode) {
    case BootMode::linux64:
        return "linux";
    case BootMode::pvh:
        return "pvh";
    case BootMode::firmware:
        return "firmware";
    case BootMode::automatic:
        break;
    }
    return "auto";
}

std::vector<Request> parse_config_file(std::string_view text) {
    const Json file = parse_json(text);
    if (!file.is_object())
        throw Error("the configuration is no JSON object");
    const auto has = [&](const char* section) {
        return file.contains(section) && !file[section].is_null();
    };
    for (const char* const required : {"drives", "boot-source"}) {
        if (!has(required) && !has("firmware"))
            throw Error(cat("the configuration has no section \"", required, "\""));
    }
    std::vector<Request> requests;
    for (const Section& section : sections) {
        const auto found = file.find(std::string(section.name));
        if (found == file.end() || found->is_null())
            continue;
        if (!section.is_list) {
            requests.push_back(section.parse(*found, std::nullopt).request);
            continue;
        }
        if (!found->is_array())
            throw Error(cat(section.name, ": an array is expected"));
        for (const Json& item : *found)
            requests.push_back(section.parse(item, std::nullopt).request);
    }
    return requests;
}

Json machine_json(const MachineConfig& machine) {
    const std::string_view pages = machine.huge_pages == HugePages::none           ? "None"
                                   : machine.huge_pages == HugePages::hugetlbfs_2m ? "2M"
                                                                                   : "Transparent";
    Json json = {{"vcpu_count", machine.vcpu_count},
                 {"mem_size_mib", machine.mem_size_mib},
                 {"smt", machine.smt}};
    if (machine.cpu_template)
        json["cpu_template"] = *machine.cpu_template;
    json["track_dirty_pages"] = machine.track_dirty_pages;
    json["huge_pages"] = pages;
    return json;
}

Json balloon_json(const BalloonConfig& balloon) {
    return {{"amount_mib", balloon.amount_mib},
            {"deflate_on_oom", balloon.deflate_on_oom},
            {"stats_polling_interval_s", balloon.statistics_interval_s},
            {"free_page_hinting", balloon.free_page_hinting},
            {"free_page_reporting", balloon.free_page_reporting}};
}

Json config_json(const VmConfig& config) {
    Json drives = Json::array(), networks = Json::array();
    for (std::size_t i = 0; i < config.disks.size(); ++i)
        drives.push_back(drive_json(config, i));
    for (std::size_t i = 0; i < config.nets.size(); ++i)
        networks.push_back(network_json(config, i));
    Json json;
    json["balloon"] = config.balloon ? balloon_json(*config.balloon) : Json(nullptr);
    json["drives"] = std::move(drives);
    json["boot-source"] = {{"kernel_image_path", config.kernel_path},
                           {"initrd_path", value_or_null(config.initrd_path)},
                           {"boot_args", value_or_null(config.command_line)}};
    // As Firecracker has it: what has no effect on the machine is not told.
    json["cpu-config"] = nullptr;
    json["logger"] = nullptr;
    json["machine-config"] = machine_json(machine_config_of(config));
    json["metrics"] = nullptr;
    json["mmds-config"] = config.mmds ? mmds_json(*config.mmds) : Json(nullptr);
    json["network-interfaces"] = std::move(networks);
    json["vsock"] = config.vsock ? Json{{"guest_cid", config.vsock->guest_cid},
                                        {"uds_path", config.vsock->uds_path}}
                                 : Json(nullptr);
    json["entropy"] =
        config.rng ? Json{{"rate_limiter", limiter_json(config.rng_limiter)}} : Json(nullptr);
    json["pmem"] = Json::array();
    json["memory-hotplug"] = nullptr;
    add_own_sections(json, config);
    return json;
}

} // namespace coldstart
