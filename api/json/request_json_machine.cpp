#include "api/json/limiter_json.h"
#include "api/json/request_json.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <cctype>

namespace coldstart {

void check_resource_id(std::string_view what, std::string_view id) {
    const bool plain = std::all_of(id.begin(), id.end(), [](char sign) {
        return (sign >= 'a' && sign <= 'z') || (sign >= 'A' && sign <= 'Z') ||
               (sign >= '0' && sign <= '9') || sign == '_';
    });
    if (id.empty() || !plain)
        throw Error(
            cat(what, ": \"", printable(id), "\" is no id; use letters, digits and underscores"));
}

std::optional<std::string> firecracker_level(std::string_view given) {
    std::string lower(given);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char sign) { return static_cast<char>(std::tolower(sign)); });
    if (lower == "warning")
        return "warn";
    if (lower == "trace")
        return "debug";
    if (lower == "off" || lower == "error" || lower == "warn" || lower == "info" ||
        lower == "debug")
        return lower;
    return std::nullopt;
}

namespace {

using PathId = std::optional<std::string_view>;

constexpr std::uint64_t any_u8 = std::numeric_limits<std::uint8_t>::max();
constexpr std::uint64_t any_u64 = std::numeric_limits<std::uint64_t>::max();

std::optional<HugePages> huge_pages(Members& members) {
    return members.word<HugePages>("huge_pages", {{"None", HugePages::none},
                                                  {"2M", HugePages::hugetlbfs_2m},
                                                  {"Transparent", HugePages::transparent}});
}

/// Which of them this host can do is known at the start.
std::optional<std::string> cpu_template(Members& members) {
    using Name = std::string;
    return members.word<Name>("cpu_template", {{"C3", "C3"},
                                               {"T2", "T2"},
                                               {"T2S", "T2S"},
                                               {"T2CL", "T2CL"},
                                               {"T2A", "T2A"},
                                               {"V1N1", "V1N1"},
                                               {"None", "None"}});
}

} // namespace

namespace body {

ParsedRequest put_machine_config(const Json& json, PathId) {
    Members members(json, "machine-config");
    MachineConfig config;
    config.vcpu_count = static_cast<std::uint32_t>(members.required_integer("vcpu_count", any_u8));
    config.mem_size_mib = members.required_integer("mem_size_mib", any_u64);
    config.smt = members.boolean("smt").value_or(false);
    config.track_dirty_pages = members.boolean("track_dirty_pages").value_or(false);
    config.huge_pages = huge_pages(members).value_or(HugePages::none);
    config.cpu_template = cpu_template(members);
    members.done();
    const bool deprecated = config.cpu_template.has_value();
    return {PutMachineConfig{config}, deprecated};
}

ParsedRequest patch_machine_config(const Json& json, PathId) {
    Members members(json, "machine-config");
    PatchMachineConfig patch;
    if (const auto count = members.integer("vcpu_count", any_u8))
        patch.vcpu_count = static_cast<std::uint32_t>(*count);
    patch.mem_size_mib = members.integer("mem_size_mib", any_u64);
    patch.smt = members.boolean("smt");
    patch.track_dirty_pages = members.boolean("track_dirty_pages");
    patch.huge_pages = huge_pages(members);
    patch.cpu_template = cpu_template(members);
    members.done();
    if (!patch.vcpu_count && !patch.mem_size_mib && !patch.smt && !patch.track_dirty_pages &&
        !patch.huge_pages && !patch.cpu_template)
        throw Error("machine-config: the patch is empty; name at least one field");
    const bool deprecated = patch.cpu_template.has_value();
    return {patch, deprecated};
}

ParsedRequest put_boot_source(const Json& json, PathId) {
    Members members(json, "boot-source");
    PutBootSource source;
    source.kernel_path = members.required_text("kernel_image_path");
    source.initrd_path = members.text("initrd_path");
    source.command_line = members.text("boot_args");
    members.done();
    return {source};
}

ParsedRequest patch_vm(const Json& json, PathId) {
    Members members(json, "vm");
    const auto paused = members.word<bool>("state", {{"Paused", true}, {"Resumed", false}});
    members.done();
    if (!paused)
        throw Error("vm: missing field \"state\"");
    return {PatchVm{*paused}};
}

ParsedRequest put_action(const Json& json, PathId) {
    Members members(json, "actions");
    const auto action =
        members.word<Action>("action_type", {{"InstanceStart", Action::instance_start},
                                             {"FlushMetrics", Action::flush_metrics},
                                             {"SendCtrlAltDel", Action::send_ctrl_alt_del},
                                             {"PowerButton", Action::power_button},
                                             {"Reset", Action::reset},
                                             {"Stop", Action::stop}});
    members.done();
    if (!action)
        throw Error("actions: missing field \"action_type\"");
    return {PutAction{*action}};
}

ParsedRequest put_logger(const Json& json, PathId) {
    Members members(json, "logger");
    LoggerConfig logger;
    logger.path = members.text("log_path");
    if (const auto level = members.text("level")) {
        logger.level = firecracker_level(*level);
        if (!logger.level)
            members.refuse("level",
                           cat("unknown level \"", printable(*level),
                               "\", expected Off, Trace, Debug, Info, Warn, Warning or Error"));
    }
    logger.show_level = members.boolean("show_level");
    logger.show_origin = members.boolean("show_log_origin");
    logger.module = members.text("module");
    members.done();
    return {PutLogger{logger}};
}

ParsedRequest put_metrics(const Json& json, PathId) {
    Members members(json, "metrics");
    PutMetrics metrics;
    metrics.path = members.required_text("metrics_path");
    metrics.emit_id = members.boolean("emit_id").value_or(false);
    if (const Json* const properties = members.value("properties")) {
        if (!properties->is_object())
            members.refuse("properties", "an object of strings is expected");
        for (const auto& item : properties->items()) {
            if (!item.value().is_string())
                members.refuse("properties", "an object of strings is expected");
            metrics.properties.emplace_back(item.key(), item.value().get<std::string>());
        }
    }
    members.done();
    return {metrics};
}

ParsedRequest put_serial(const Json& json, PathId) {
    Members members(json, "serial");
    PutSerial serial;
    serial.path = members.text("serial_out_path");
    if (const Json* const bucket = members.value("rate_limiter"))
        serial.limiter = token_bucket(*bucket, "serial: rate_limiter");
    members.done();
    return {serial};
}

ParsedRequest put_firmware(const Json& json, PathId) {
    Members members(json, "firmware");
    PutFirmware firmware;
    firmware.image_path = members.required_text("image_path");
    firmware.nvram_path = members.text("nvram_path");
    firmware.nvram_template_path = members.text("nvram_template_path");
    members.done();
    return {firmware};
}

ParsedRequest put_platform(const Json& json, PathId) {
    Members members(json, "platform");
    PutPlatform platform;
    platform.board =
        members.word<BoardKind>("board", {{"micro", BoardKind::micro}, {"pc", BoardKind::pc}});
    platform.boot = members.word<BootMode>("boot_mode", {{"auto", BootMode::automatic},
                                                         {"linux", BootMode::linux64},
                                                         {"pvh", BootMode::pvh},
                                                         {"firmware", BootMode::firmware}});
    platform.on_reboot = members.word<OnReboot>(
        "on_reboot", {{"restart", OnReboot::restart}, {"exit", OnReboot::exit}});
    platform.load = members.word<LoadMode>(
        "load", {{"auto", LoadMode::automatic}, {"copy", LoadMode::copy}, {"map", LoadMode::map}});
    platform.kernel_cache = members.text("kernel_cache");
    if (platform.kernel_cache && platform.kernel_cache->empty())
        members.refuse("kernel_cache", "a folder, or \"off\", is expected");
    platform.irqchip = members.word<IrqchipKind>("irqchip", {{"auto", IrqchipKind::automatic},
                                                             {"split", IrqchipKind::split},
                                                             {"kernel", IrqchipKind::kernel}});
    platform.acpi = members.word<AcpiHardware>("acpi", {{"auto", AcpiHardware::automatic},
                                                        {"reduced", AcpiHardware::reduced},
                                                        {"fixed", AcpiHardware::fixed}});
    platform.smm = members.word<SmmMode>(
        "smm", {{"auto", SmmMode::automatic}, {"on", SmmMode::on}, {"off", SmmMode::off}});
    members.done();
    return {platform};
}

ParsedRequest put_cdrom(const Json& json, PathId) {
    Members members(json, "cdrom");
    PutCdrom cdrom{members.required_text("path_on_host")};
    members.done();
    return {cdrom};
}

ParsedRequest put_display(const Json& json, PathId) {
    Members members(json, "display");
    const auto vga =
        members.word<VgaKind>("adapter", {{"none", VgaKind::none}, {"std", VgaKind::std_vga}});
    members.done();
    if (!vga)
        throw Error("display: missing field \"adapter\"");
    return {PutDisplay{*vga}};
}

ParsedRequest put_console(const Json& json, PathId) {
    Members members(json, "console");
    const Json& input = members.required_value("input"); // as text, but a NUL can be typed too
    if (!input.is_string())
        members.refuse("input", "a string is expected");
    members.done();
    return {PutConsole{input.get<std::string>()}};
}

ParsedRequest put_cpu_config(const Json& json, PathId) {
    Members members(json, "cpu-config");
    for (const std::string_view name : {"kvm_capabilities", "cpuid_modifiers", "msr_modifiers"}) {
        const Json* const list = members.value(name);
        if (list != nullptr && !list->is_array())
            members.refuse(name, "an array is expected");
        if (list != nullptr && !list->empty())
            return {NotBuilt{"custom CPU templates (cpu-config)"}};
    }
    members.done();
    return {PutCpuConfig{}};
}

ParsedRequest snapshots(const Json& json, PathId) {
    Members members(json, "snapshot");
    const bool deprecated = members.has("mem_file_path") || members.has("enable_diff_snapshots");
    return {NotBuilt{"snapshots"}, deprecated};
}

ParsedRequest persistent_memory(const Json& json, PathId) {
    Members members(json, "pmem");
    return {NotBuilt{"persistent memory devices (pmem)"}};
}

ParsedRequest memory_hotplug(const Json& json, PathId) {
    Members members(json, "hotplug/memory");
    return {NotBuilt{"memory hotplug"}};
}

} // namespace body
} // namespace coldstart
