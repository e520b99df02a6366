#include "vmm/runtime/control/metrics.h"

#include "api/command/device_names.h"
#include "api/json/json_reader.h"
#include "devices/uart16550/uart16550.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/machine/find_virtio.h"
#include "vmm/runtime/control/machine_log.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <ctime>

#include <poll.h>
#include <sys/timerfd.h>

namespace coldstart {
namespace {

using Counters = std::vector<std::pair<std::string, std::uint64_t>>;

std::uint64_t utc_ms() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1000 +
           static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

/// The group and the name under which a request is counted; nullptr: not at all.
struct RequestName {
    const char* group = nullptr;
    const char* name = nullptr;
};

RequestName get_name(Resource resource) {
    switch (resource) {
    case Resource::instance:
        return {"get_api_requests", "instance_info"};
    case Resource::version:
        return {"get_api_requests", "vmm_version"};
    case Resource::vm_config:
        return {"get_api_requests", "vm_config"};
    case Resource::machine_config:
        return {"get_api_requests", "machine_cfg"};
    case Resource::balloon:
    case Resource::balloon_statistics:
        return {"get_api_requests", "balloon"};
    case Resource::balloon_hinting:
        return {"get_api_requests", "hinting"};
    case Resource::mmds:
        return {"get_api_requests", "mmds"};
    case Resource::screen_text:
    case Resource::screen_png:
        return {"get_api_requests", "screen"};
    case Resource::timeline:
        return {"get_api_requests", "timeline"};
    case Resource::metrics:
        return {"get_api_requests", "metrics"};
    case Resource::memory_hotplug:
        return {"get_api_requests", "hotplug_memory"};
    }
    return {};
}

struct NameOf {
    RequestName operator()(const Get& get) const { return get_name(get.resource); }
    RequestName operator()(const PutAction&) const { return put("actions"); }
    RequestName operator()(const PutBalloon&) const { return put("balloon"); }
    RequestName operator()(const PutBootSource&) const { return put("boot_source"); }
    RequestName operator()(const PutCpuConfig&) const { return put("cpu_cfg"); }
    RequestName operator()(const PutDrive&) const { return put("drive"); }
    RequestName operator()(const PutEntropy&) const { return put("entropy"); }
    RequestName operator()(const PutLogger&) const { return put("logger"); }
    RequestName operator()(const PutMachineConfig&) const { return put("machine_cfg"); }
    RequestName operator()(const PutMetrics&) const { return put("metrics"); }
    RequestName operator()(const PutMmds&) const { return put("mmds"); }
    RequestName operator()(const PutMmdsConfig&) const { return put("mmds"); }
    RequestName operator()(const PutNetworkInterface&) const { return put("network"); }
    RequestName operator()(const PutSerial&) const { return put("serial"); }
    RequestName operator()(const PutVsock&) const { return put("vsock"); }
    RequestName operator()(const PutFirmware&) const { return put("firmware"); }
    RequestName operator()(const PutPlatform&) const { return put("platform"); }
    RequestName operator()(const PutCdrom&) const { return put("cdrom"); }
    RequestName operator()(const PutDisplay&) const { return put("display"); }
    RequestName operator()(const PutConsole&) const { return put("console"); }
    RequestName operator()(const NotBuilt&) const { return put("not_built"); }
    RequestName operator()(const PatchBalloon&) const { return patch("balloon"); }
    RequestName operator()(const PatchBalloonStatistics&) const { return patch("balloon"); }
    RequestName operator()(const StartBalloonHinting&) const { return patch("hinting"); }
    RequestName operator()(const StopBalloonHinting&) const { return patch("hinting"); }
    RequestName operator()(const PatchDrive&) const { return patch("drive"); }
    RequestName operator()(const PatchMachineConfig&) const { return patch("machine_cfg"); }
    RequestName operator()(const PatchMmds&) const { return patch("mmds"); }
    RequestName operator()(const PatchNetworkInterface&) const { return patch("network"); }
    RequestName operator()(const PatchVm&) const { return patch("vm"); }

  private:
    static RequestName put(const char* name) { return {"put_api_requests", name}; }
    static RequestName patch(const char* name) { return {"patch_api_requests", name}; }
};

Counters counters_of(const VirtualMachine& vm, const std::string& id) {
    const VirtioDevice* const device = find_virtio(vm.machine(), id);
    Counters counters;
    if (device != nullptr) {
        for (const auto& [name, value] : device->counters())
            counters.emplace_back(name, value);
    }
    return counters;
}

/// The sum of each counter over groups of devices.
void add_up(Counters& total, const Counters& more) {
    for (const auto& one : more) {
        const auto found = std::find_if(total.begin(), total.end(),
                                        [&](const auto& item) { return item.first == one.first; });
        if (found == total.end())
            total.push_back(one);
        else
            found->second += one.second;
    }
}

} // namespace

void Metrics::open(const PutMetrics& request, const std::string& id) {
    if (file_)
        throw Error("metrics: Reinitialization of metrics not allowed: there is a file already");
    file_ = open_lines_file("metrics: metrics_path", request.path);
    properties_ = request.properties;
    if (request.emit_id)
        properties_.emplace_back("id", id);
}

void Metrics::begin(IoLoop& loop, VirtualMachine& vm, std::function<void()> due) {
    if (!file_)
        return;
    write(&vm);
    timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (!timer_)
        throw system_error("timerfd", errno);
    const itimerspec period{{period_s, 0}, {period_s, 0}};
    ::timerfd_settime(timer_.get(), 0, &period, nullptr);
    ticker_ = loop.watch(timer_.get(), POLLIN, [this, due = std::move(due)](std::uint32_t) {
        std::uint64_t count = 0;
        if (::read(timer_.get(), &count, sizeof count) == sizeof count)
            due();
    });
}

void Metrics::count(const Request& request, bool refused) {
    const auto [group, name] = std::visit(NameOf(), request);
    if (group == nullptr)
        return;
    ++requests_[{group, cat(name, "_count")}];
    if (refused)
        ++requests_[{group, cat(name, "_fails")}];
    const auto* const drive = std::get_if<PatchDrive>(&request);
    if (refused && drive != nullptr)
        ++drive_update_fails_[drive->id];
}

void Metrics::took(Step step, std::uint64_t time_us) {
    took_us_[step] = time_us;
}

void Metrics::watch(const MetadataCounters& metadata,
                    std::function<std::uint64_t()> dropped_bytes) {
    metadata_ = &metadata;
    dropped_bytes_ = std::move(dropped_bytes);
}

std::vector<Metrics::Group> Metrics::collect(const VirtualMachine* vm) const {
    std::vector<Group> groups;
    for (const auto& [key, value] : requests_) {
        if (groups.empty() || groups.back().name != key.first)
            groups.push_back({key.first, "", {}});
        groups.back().counters.emplace_back(key.second, value);
    }
    for (const auto& [step, time_us] : took_us_) {
        const char* const group = step == Step::process_startup ? "api_server" : "latencies_us";
        const char* const name = step == Step::process_startup ? "process_startup_time_us"
                                 : step == Step::pause         ? "pause_vm"
                                                               : "resume_vm";
        if (groups.empty() || groups.back().name != group)
            groups.push_back({group, "", {}, true});
        groups.back().counters.emplace_back(name, time_us);
    }
    if (vm == nullptr)
        return groups;
    const ExitCounts exits = vm->exit_counts();
    groups.push_back({"vcpu",
                      "",
                      {{"exit_io_in", exits.io_in},
                       {"exit_io_out", exits.io_out},
                       {"exit_mmio_read", exits.mmio_read},
                       {"exit_mmio_write", exits.mmio_write}}});
    collect_devices(*vm, groups);
    collect_services(*vm, groups);
    return groups;
}

void Metrics::collect_devices(const VirtualMachine& vm, std::vector<Group>& groups) const {
    const VmConfig& config = vm.config();
    const auto add_devices = [&](const char* name, std::size_t count, auto name_of, auto id_of) {
        Group all{name, "", {}};
        for (std::size_t i = 0; i < count; ++i) {
            Group one{name, name_of(config, i), counters_of(vm, id_of(config, i))};
            const auto fails = drive_update_fails_.find(one.device);
            if (all.name == "block" && !one.counters.empty())
                one.counters.emplace_back("update_fails",
                                          fails != drive_update_fails_.end() ? fails->second : 0);
            add_up(all.counters, one.counters);
            if (!one.counters.empty())
                groups.push_back(std::move(one));
        }
        if (!all.counters.empty())
            groups.push_back(std::move(all));
    };
    add_devices("block", config.disks.size(), disk_name, disk_device_id);
    add_devices("net", config.nets.size(), net_name, net_device_id);
    for (const char* const single : {"vsock", "balloon", "rng"}) {
        Counters counters = counters_of(vm, single);
        if (!counters.empty())
            groups.push_back(
                {std::string(single) == "rng" ? "entropy" : single, "", std::move(counters)});
    }
    if (const auto* const uart = dynamic_cast<Uart16550*>(vm.machine().find("com1"))) {
        const Uart16550::Counts counts = uart->counts();
        groups.push_back({"uart",
                          "",
                          {{"read_count", counts.read_bytes},
                           {"write_count", counts.written_bytes},
                           {"rate_limiter_dropped_bytes", dropped_bytes_ ? dropped_bytes_() : 0}}});
    }
}

void Metrics::collect_services(const VirtualMachine& vm, std::vector<Group>& groups) const {
    if (metadata_ == nullptr || !vm.config().mmds)
        return;
    const MetadataCounters& from = *metadata_;
    const std::pair<const char*, const MetadataCounters::Count&> all[] = {
        {"rx_accepted", from.rx_accepted},
        {"rx_accepted_err", from.rx_accepted_err},
        {"rx_accepted_unusual", from.rx_accepted_unusual},
        {"rx_bad_eth", from.rx_bad_eth},
        {"rx_count", from.rx_count},
        {"rx_invalid_token", from.rx_invalid_token},
        {"rx_no_token", from.rx_no_token},
        {"tx_bytes", from.tx_bytes},
        {"tx_count", from.tx_count},
        {"tx_errors", from.tx_errors},
        {"tx_frames", from.tx_count},
        {"connections_created", from.connections_created},
        {"connections_destroyed", from.connections_destroyed}};
    Group mmds{"mmds", "", {}};
    for (const auto& [name, value] : all)
        mmds.counters.emplace_back(name, value.load(std::memory_order_relaxed));
    groups.push_back(std::move(mmds));
}

void Metrics::write(const VirtualMachine* vm) {
    if (!file_)
        return;
    Json line;
    line["utc_timestamp_ms"] = utc_ms();
    for (const auto& [name, value] : properties_)
        line[name] = value;
    for (const Group& group : collect(vm)) {
        const std::string name =
            group.device.empty() ? group.name : cat(group.name, "_", group.device);
        Json& object = line[name];
        for (const auto& [counter, value] : group.counters) {
            if (group.is_gauge) {
                object[counter] = value;
                continue;
            }
            std::uint64_t& last = last_[cat(name, "/", counter)];
            object[counter] = value - last;
            last = value;
        }
    }
    std::string text = line.dump(-1, ' ', false, Json::error_handler_t::replace);
    text += '\n';
    // On a full disk, or with nobody at the FIFO's other end, the line is lost.
    [[maybe_unused]] const auto written = ::write(file_.get(), text.data(), text.size());
}

std::string Metrics::prometheus(const VirtualMachine* vm) const {
    std::string page = "# TYPE coldstart_up gauge\n";
    page += cat("coldstart_up ", vm != nullptr ? 1 : 0, "\n");
    struct Metric {
        std::string type, samples;
    };
    std::map<std::string, Metric> metrics; // so that each has its samples together
    for (const Group& group : collect(vm)) {
        const bool sum_of_devices =
            group.device.empty() && (group.name == "block" || group.name == "net");
        if (sum_of_devices)
            continue; // a query adds up
        for (const auto& [counter, value] : group.counters) {
            const std::string name =
                cat("coldstart_", group.name, "_", counter, group.is_gauge ? "" : "_total");
            auto& [type, samples] = metrics[name];
            type = group.is_gauge ? "gauge" : "counter";
            samples += cat(name, group.device.empty() ? "" : cat("{device=\"", group.device, "\"}"),
                           " ", value, "\n");
        }
    }
    for (const auto& [name, metric] : metrics)
        page += cat("# TYPE ", name, " ", metric.type, "\n", metric.samples);
    return page;
}

} // namespace coldstart
