// What a client may ask of a machine, before and after it starts, as plain data: each request of
// the control socket, each section of a configuration file. No JSON and no HTTP here.
// Source: Firecracker's API document for what bears its names; the rest is ours (docs/api.md).
#pragma once

#include "api/command/vm_config.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace coldstart {

struct MachineConfig {
    std::uint32_t vcpu_count = 1;
    std::uint64_t mem_size_mib = 128;
    bool smt = false;
    bool track_dirty_pages = false;
    HugePages huge_pages = HugePages::none;
    std::optional<std::string> cpu_template; ///< "None" takes an earlier one away
};

/// What `config` says of these; memory below a MiB is left out.
inline MachineConfig machine_config_of(const VmConfig& config) {
    return {.vcpu_count = config.cpus,
            .mem_size_mib = config.memory_bytes / MiB,
            .smt = config.smt,
            .track_dirty_pages = config.track_dirty_pages,
            .huge_pages = config.huge_pages,
            .cpu_template = config.cpu_template};
}

struct PutMachineConfig {
    MachineConfig value;
};

/// What is absent stays as it is.
struct PatchMachineConfig {
    std::optional<std::uint32_t> vcpu_count;
    std::optional<std::uint64_t> mem_size_mib;
    std::optional<bool> smt;
    std::optional<bool> track_dirty_pages;
    std::optional<HugePages> huge_pages;
    std::optional<std::string> cpu_template;
};

struct PutBootSource {
    std::string kernel_path;
    std::optional<std::string> initrd_path;
    std::optional<std::string> command_line;
};

struct PutDrive {
    DiskConfig disk;
};

/// A bucket that is absent stays as it is; one that limits nothing ends the limit.
struct PatchDrive {
    std::string id;
    std::optional<std::string> path;
    RateLimiterConfig limiter;
};

struct PutNetworkInterface {
    NetConfig net;
};

struct PatchNetworkInterface {
    std::string id;
    RateLimiterConfig receive_limiter;
    RateLimiterConfig transmit_limiter;
};

struct PutVsock {
    VsockConfig vsock;
};

struct PutBalloon {
    BalloonConfig balloon;
};

struct PatchBalloon {
    std::uint32_t amount_mib = 0;
};

struct PatchBalloonStatistics {
    std::uint32_t interval_s = 0;
};

struct StartBalloonHinting {
    bool acknowledge_on_stop = true;
};

struct StopBalloonHinting {};

struct PutEntropy {
    RateLimiterConfig limiter;
};

/// `json`: any JSON value, as text.
struct PutMmds {
    std::string json;
};

/// `json`: a merge patch (RFC 7396).
struct PatchMmds {
    std::string json;
};

struct PutMmdsConfig {
    MmdsConfig mmds;
};

struct PutLogger {
    LoggerConfig logger;
};

struct PutMetrics {
    std::string path;
    bool emit_id = false;                                        ///< each line has the machine's id
    std::vector<std::pair<std::string, std::string>> properties; ///< that each line has
};

struct PutSerial {
    std::optional<std::string> path; ///< of the file that gets the output; absent: as it was
    std::optional<TokenBucketConfig> limiter;
};

struct PutFirmware {
    std::string image_path;
    std::optional<std::string> nvram_path;
    std::optional<std::string> nvram_template_path;
};

/// What is absent stays as it is.
struct PutPlatform {
    std::optional<BoardKind> board;
    std::optional<BootMode> boot;
    std::optional<OnReboot> on_reboot;
    std::optional<LoadMode> load;
    std::optional<std::string> kernel_cache; ///< as --kernel-cache has it: "off" or a folder
    std::optional<IrqchipKind> irqchip;
    std::optional<AcpiHardware> acpi;
    std::optional<SmmMode> smm;
};

struct PutCdrom {
    std::string path;
};

struct PutDisplay {
    VgaKind vga = VgaKind::none;
};

struct PatchVm {
    bool paused = false; ///< else it is to go on
};

enum class Action {
    instance_start,
    flush_metrics,
    send_ctrl_alt_del,
    power_button, ///< the guest is asked to power off
    reset,        ///< as by the reset button
    stop,         ///< the machine ends at once
};

struct PutAction {
    Action action = Action::instance_start;
};

/// A template that changes nothing.
struct PutCpuConfig {};

/// Typed into the serial console.
struct PutConsole {
    std::string text;
};

/// A resource of Firecracker's that is not built here: refused, saying so.
struct NotBuilt {
    std::string what; ///< "snapshots"
};

/// What is asked for by GET.
enum class Resource {
    instance,
    version,
    vm_config,
    machine_config,
    balloon,
    balloon_statistics,
    balloon_hinting,
    mmds,
    screen_text,
    screen_png,
    timeline,
    metrics,
    memory_hotplug,
};

struct Get {
    Resource resource = Resource::instance;
};

using Request = std::variant<Get, PutMachineConfig, PatchMachineConfig, PutBootSource, PutDrive,
                             PatchDrive, PutNetworkInterface, PatchNetworkInterface, PutVsock,
                             PutBalloon, PatchBalloon, PatchBalloonStatistics, StartBalloonHinting,
                             StopBalloonHinting, PutEntropy, PutMmds, PatchMmds, PutMmdsConfig,
                             PutLogger, PutMetrics, PutSerial, PutFirmware, PutPlatform, PutCdrom,
                             PutDisplay, PatchVm, PutAction, PutCpuConfig, PutConsole, NotBuilt>;

} // namespace coldstart
