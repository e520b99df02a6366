#include "vmm/runtime/control/configuration.h"

#include "api/command/device_names.h"
#include "virtio/backend/tap.h"
#include "virtio/net/mac_address.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <cctype>
#include <cerrno>

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/stat.h>

namespace coldstart {
namespace {

constexpr std::uint32_t max_api_cpus = 32;
constexpr std::size_t max_command_line_bytes = 2047;

/// Whether the file is there and can be used as it is to be.
void check_file(const std::string& what, const std::string& path, bool writable = false) {
    const UniqueFd fd(
        ::open(path.c_str(), (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd)
        throw system_error(cat(what, ": ", printable(path, 200)), errno,
                           errno == EACCES && writable ? "make it writable, or the drive read-only"
                                                       : "");
    struct stat status {};
    if (::fstat(fd.get(), &status) == 0 && S_ISDIR(status.st_mode))
        throw Error(cat(what, ": ", printable(path, 200), ": is a directory; name a file"));
}

template <typename List, typename IdOf>
auto find_id(List& list, const std::string& id, IdOf id_of) {
    return std::find_if(list.begin(), list.end(),
                        [&](const auto& item) { return id_of(item) == id; });
}

const std::string& drive_id(const DiskConfig& disk) {
    return disk.id;
}
const std::string& network_id(const NetConfig& net) {
    return net.id;
}

DiskConfig& drive_named(VmConfig& config, const std::string& id) {
    const auto found = find_id(config.disks, id, drive_id);
    if (found == config.disks.end())
        throw Error(cat("drives: there is no drive \"", printable(id), "\""));
    return *found;
}

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char sign) { return static_cast<char>(std::tolower(sign)); });
    return text;
}

void check_machine(const MachineConfig& machine, const VmConfig& config) {
    if (machine.vcpu_count == 0 || machine.vcpu_count > max_api_cpus ||
        (machine.smt && machine.vcpu_count != 1 && machine.vcpu_count % 2 != 0))
        throw Error(cat("machine-config: vcpu_count: ", machine.vcpu_count, " is not within 1 to ",
                        max_api_cpus, ", and with smt 1 or an even number"));
    if (machine.mem_size_mib == 0)
        throw Error("machine-config: mem_size_mib: a machine needs memory; give 1 or more");
    if (machine.huge_pages != HugePages::none && machine.mem_size_mib % 2 != 0)
        throw Error("machine-config: mem_size_mib: huge pages are of 2 MiB; give an even number");
    if (config.balloon && config.balloon->amount_mib > machine.mem_size_mib)
        throw Error(cat("machine-config: mem_size_mib: the balloon of ", config.balloon->amount_mib,
                        " MiB is larger than that"));
}

/// Which board and which way to boot follow from the rest, and what does not go with them.
void settle_boot_source(VmConfig& config) {
    if (!config.firmware_path.empty()) {
        if (config.boot == BootMode::linux64 || config.boot == BootMode::pvh)
            throw Error("platform: boot_mode: with a firmware the kernel is not entered directly; "
                        "leave one of the two out");
        if (config.irqchip == IrqchipKind::split || config.acpi == AcpiHardware::reduced)
            throw Error(cat("platform: ", config.irqchip == IrqchipKind::split ? "irqchip" : "acpi",
                            ": with a firmware the board is pc, which has its own; leave it out"));
        config.board = BoardKind::pc;
        config.boot = BootMode::firmware;
        return;
    }
    const bool sata = std::any_of(config.disks.begin(), config.disks.end(),
                                  [](const DiskConfig& disk) { return disk.bus == DiskBus::sata; });
    const std::string_view needs_pc = config.boot == BootMode::firmware ? "platform: boot_mode"
                                      : config.board == BoardKind::pc   ? "platform: board"
                                      : sata                            ? "drives: bus sata"
                                      : !config.cdrom_path.empty()      ? "cdrom"
                                      : config.vga != VgaKind::none     ? "display"
                                      : config.smm == SmmMode::on       ? "platform: smm"
                                                                        : "";
    if (!needs_pc.empty())
        throw Error(cat(needs_pc, ": the board pc boots by firmware, and there is none; "
                                  "PUT /firmware first"));
}

} // namespace

RateLimiterConfig merged(RateLimiterConfig base, const RateLimiterConfig& change) {
    if (change.bandwidth)
        base.bandwidth = change.bandwidth;
    if (change.operations)
        base.operations = change.operations;
    return base;
}

void Configuration::set_machine(const MachineConfig& machine) {
    check_machine(machine, config_);
    config_.cpus = machine.vcpu_count;
    // What can't be had is refused at the start; the product must not wrap before.
    config_.memory_bytes =
        std::min(machine.mem_size_mib, std::numeric_limits<std::uint64_t>::max() / MiB) * MiB;
    config_.smt = machine.smt;
    config_.track_dirty_pages = machine.track_dirty_pages;
    config_.huge_pages = machine.huge_pages;
    if (machine.cpu_template)
        config_.cpu_template = machine.cpu_template;
    if (config_.cpu_template == "None")
        config_.cpu_template.reset();
}

void Configuration::apply(const PutMachineConfig& put) {
    set_machine(put.value);
}

void Configuration::apply(const PatchMachineConfig& patch) {
    MachineConfig machine = machine_config_of(config_);
    machine.vcpu_count = patch.vcpu_count.value_or(machine.vcpu_count);
    machine.mem_size_mib = patch.mem_size_mib.value_or(machine.mem_size_mib);
    machine.smt = patch.smt.value_or(machine.smt);
    machine.track_dirty_pages = patch.track_dirty_pages.value_or(machine.track_dirty_pages);
    machine.huge_pages = patch.huge_pages.value_or(machine.huge_pages);
    machine.cpu_template = patch.cpu_template;
    set_machine(machine);
}

void Configuration::apply(const PutBootSource& put) {
    check_file("boot-source: kernel_image_path", put.kernel_path);
    if (put.initrd_path)
        check_file("boot-source: initrd_path", *put.initrd_path);
    if (put.command_line) {
        if (put.command_line->size() > max_command_line_bytes)
            throw Error(cat("boot-source: boot_args: ", put.command_line->size(),
                            " bytes are more than the ", max_command_line_bytes,
                            " that a kernel takes"));
        if (std::any_of(put.command_line->begin(), put.command_line->end(),
                        [](char sign) { return sign < 0x20 || sign > 0x7e; }))
            throw Error("boot-source: boot_args: it has signs that are not printable ASCII");
    }
    config_.kernel_path = put.kernel_path;
    config_.initrd_path = put.initrd_path;
    config_.command_line = put.command_line;
}

void Configuration::apply(const PutDrive& put) {
    check_file("drives: path_on_host", put.disk.path, !put.disk.read_only);
    auto& disks = config_.disks;
    const auto root = std::find_if(disks.begin(), disks.end(),
                                   [](const DiskConfig& disk) { return disk.is_root; });
    if (put.disk.is_root && root != disks.end() && root->id != put.disk.id)
        throw Error(
            cat("drives: \"", printable(root->id), "\" is the root device already; there is one"));
    const auto place = find_id(disks, put.disk.id, drive_id);
    if (place != disks.end()) {
        *place = put.disk;
        if (put.disk.is_root)
            std::iter_swap(disks.begin(), place);
    } else if (put.disk.is_root) {
        disks.insert(disks.begin(), put.disk);
    } else {
        disks.push_back(put.disk);
    }
}

void Configuration::apply(const PutNetworkInterface& put) {
    NetConfig net = put.net;
    if (!net.mac.empty()) {
        if (!MacAddress::parse(net.mac))
            throw Error(cat("network-interfaces: guest_mac: \"", printable(net.mac),
                            "\" is no address of a card; write it as 06:00:ac:10:00:02"));
        net.mac = lower(net.mac);
    }
    for (const NetConfig& other : config_.nets) {
        if (other.id == net.id)
            continue;
        if (!net.mac.empty() && other.mac == net.mac)
            throw Error(
                cat("network-interfaces: guest_mac: the MAC address is already in use: ", net.mac));
        if (net.kind == NetConfig::Kind::tap && other.tap == net.tap)
            throw Error(cat("network-interfaces: host_dev_name: ", printable(net.tap),
                            " is in use by \"", printable(other.id), "\""));
    }
    const auto place = find_id(config_.nets, net.id, network_id);
    const bool same_tap = place != config_.nets.end() && place->tap == net.tap;
    if (net.kind == NetConfig::Kind::tap && !same_tap && hold_ == Hold::yes)
        taps_[net.id] = open_tap(net.tap, TapMissing::make);
    else if (net.kind != NetConfig::Kind::tap)
        taps_.erase(net.id);
    if (place != config_.nets.end())
        *place = std::move(net);
    else
        config_.nets.push_back(std::move(net));
}

void Configuration::apply(const PutVsock& put) {
    // The same path again is the same socket.
    if (hold_ == Hold::yes && (!vsock_ || vsock_->path() != put.vsock.uds_path))
        vsock_ = std::make_shared<VsockListener>(put.vsock.uds_path);
    config_.vsock = put.vsock;
}

void Configuration::apply(const PutBalloon& put) {
    if (put.balloon.amount_mib > config_.memory_bytes / MiB)
        throw Error(cat("balloon: amount_mib: ", put.balloon.amount_mib,
                        " MiB are more than the machine's memory, ", config_.memory_bytes / MiB,
                        " MiB"));
    config_.balloon = put.balloon;
}

void Configuration::apply(const PutEntropy& put) {
    config_.rng = true;
    config_.rng_limiter = put.limiter;
}

void Configuration::apply(const PutMmdsConfig& put) {
    if (put.mmds.interfaces.empty())
        throw Error("mmds/config: network_interfaces: the list is empty; name an interface");
    for (const std::string& id : put.mmds.interfaces) {
        if (find_id(config_.nets, id, network_id) == config_.nets.end())
            throw Error(cat("mmds/config: network_interfaces: there is no interface \"",
                            printable(id), "\"; configure it first"));
    }
    in_addr address{};
    const bool parsed = ::inet_pton(AF_INET, put.mmds.ipv4_address.c_str(), &address) == 1;
    const std::uint32_t value = ntohl(address.s_addr);
    // RFC 3927: 169.254.1.0 to 169.254.254.255 are for hosts.
    if (!parsed || value < 0xa9fe0100 || value > 0xa9fefeff)
        throw Error(cat("mmds/config: ipv4_address: \"", printable(put.mmds.ipv4_address),
                        "\" is no link-local address, 169.254.1.0 to 169.254.254.255"));
    config_.mmds = put.mmds;
}

void Configuration::apply(const PutSerial& put) {
    if (put.path) {
        config_.serial = {SerialConfig::Kind::file, *put.path, put.limiter};
        keeps_serial_file_ = true;
    } else {
        config_.serial.limiter = put.limiter;
    }
}

void Configuration::apply(const PutFirmware& put) {
    check_file("firmware: image_path", put.image_path);
    if (put.nvram_template_path)
        check_file("firmware: nvram_template_path", *put.nvram_template_path);
    config_.firmware_path = put.image_path;
    config_.nvram_path = put.nvram_path.value_or("");
    config_.nvram_template_path = put.nvram_template_path.value_or("");
}

void Configuration::apply(const PutPlatform& put) {
    config_.board = put.board.value_or(config_.board);
    config_.boot = put.boot.value_or(config_.boot);
    config_.on_reboot = put.on_reboot.value_or(config_.on_reboot);
    config_.load = put.load.value_or(config_.load);
    if (put.kernel_cache)
        config_.kernel_cache_path = *put.kernel_cache == "off" ? "" : *put.kernel_cache;
    config_.irqchip = put.irqchip.value_or(config_.irqchip);
    config_.acpi = put.acpi.value_or(config_.acpi);
    config_.smm = put.smm.value_or(config_.smm);
}

void Configuration::apply(const PutCdrom& put) {
    check_file("cdrom: path_on_host", put.path);
    config_.cdrom_path = put.path;
}

void Configuration::apply(const PutDisplay& put) {
    config_.vga = put.vga;
}

VmConfig Configuration::settled() const {
    VmConfig config = config_;
    if (config.kernel_path.empty() && config.firmware_path.empty())
        throw Error("Cannot start microvm without kernel configuration: PUT /boot-source, or "
                    "/firmware, first");
    if (config.memory_bytes < min_memory_bytes || config.memory_bytes > max_memory_bytes)
        throw Error(cat("machine-config: mem_size_mib: ", config.memory_bytes / MiB,
                        " is not within ", min_memory_bytes / MiB, " to ", max_memory_bytes / MiB));
    if (config.cpu_template)
        throw Error(cat("machine-config: cpu_template: ", *config.cpu_template,
                        ": CPU templates are not built in this release; set it to None"));
    settle_boot_source(config);
    return config;
}

UniqueFd Configuration::tap_of(const std::string& id) const {
    const auto found = taps_.find(id);
    if (found == taps_.end())
        return {};
    UniqueFd copy(::fcntl(found->second.get(), F_DUPFD_CLOEXEC, 0));
    if (!copy)
        throw system_error(cat("network-interfaces: ", printable(id)), errno);
    return copy;
}

void Configuration::set_drive_path(const std::string& id, const std::string& path) {
    drive_named(config_, id).path = path;
}

void Configuration::set_drive_limiter(const std::string& id, const RateLimiterConfig& limiter) {
    drive_named(config_, id).limiter = limiter;
}

void Configuration::set_network_limiters(const std::string& id, const RateLimiterConfig& receive,
                                         const RateLimiterConfig& transmit) {
    const auto found = find_id(config_.nets, id, network_id);
    if (found == config_.nets.end())
        throw Error(cat("network-interfaces: there is no interface \"", printable(id), "\""));
    found->receive_limiter = receive;
    found->transmit_limiter = transmit;
}

void Configuration::set_balloon_mib(std::uint32_t amount_mib) {
    if (config_.balloon)
        config_.balloon->amount_mib = amount_mib;
}

void Configuration::set_balloon_interval(std::uint32_t interval_s) {
    if (config_.balloon)
        config_.balloon->statistics_interval_s = interval_s;
}

} // namespace coldstart
