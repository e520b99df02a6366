#include "vmm/runtime/control/running_requests.h"

#include "devices/i8042/i8042.h"
#include "virtio/blk/virtio_blk.h"
#include "virtio/net/virtio_net.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/machine/find_virtio.h"
#include "vmm/machine/make_disk.h"
#include "vmm/machine/rate_limits.h"
#include "vmm/runtime/screen/png.h"

#include <algorithm>

namespace coldstart {
namespace {

template <typename Item>
const Item& named(const std::vector<Item>& items, std::string_view what, const std::string& id) {
    const auto found =
        std::find_if(items.begin(), items.end(), [&](const Item& item) { return item.id == id; });
    if (found == items.end())
        throw Error(cat(what, ": there is no \"", printable(id), "\" in this machine"));
    return *found;
}

template <typename DeviceType>
DeviceType& device(VirtualMachine& vm, const std::string& id, std::string_view remedy) {
    DeviceType* const found = find_virtio<DeviceType>(vm.machine(), id);
    if (found == nullptr)
        throw Error(cat(id, ": the machine has no such virtio device"), std::string(remedy));
    return *found;
}

const Screen& screen_of(const VirtualMachine& vm) {
    const Screen* const screen = vm.screen();
    if (screen == nullptr)
        throw Error("screen: the machine has no display; PUT /display before the start");
    return *screen;
}

} // namespace

void change_drive(VirtualMachine& vm, Reactor& reactor, Configuration& configuration,
                  const PatchDrive& patch) {
    DiskConfig disk = named(configuration.config().disks, "drives", patch.id);
    VirtioBlk& block = device<VirtioBlk>(vm, cat("disk.", patch.id),
                                         "only virtio drives change while the machine runs");
    if (patch.path) {
        disk.path = *patch.path;
        change_disk_image(block, disk, reactor);
        configuration.set_drive_path(patch.id, *patch.path);
    }
    block.set_rate_limit(rate_limit_update_of(patch.limiter));
    configuration.set_drive_limiter(patch.id, merged(disk.limiter, patch.limiter));
}

void change_network(VirtualMachine& vm, Configuration& configuration,
                    const PatchNetworkInterface& patch) {
    const NetConfig& net = named(configuration.config().nets, "network-interfaces", patch.id);
    device<VirtioNet>(vm, cat("net.", patch.id), "")
        .set_rate_limit(rate_limit_update_of(patch.receive_limiter),
                        rate_limit_update_of(patch.transmit_limiter));
    configuration.set_network_limiters(patch.id, merged(net.receive_limiter, patch.receive_limiter),
                                       merged(net.transmit_limiter, patch.transmit_limiter));
}

VirtioBalloon& balloon_of(VirtualMachine& vm) {
    return device<VirtioBalloon>(vm, "balloon", "PUT /balloon before the start");
}

BalloonStatisticsAnswer statistics_of(VirtioBalloon& balloon) {
    const BalloonStatistics told = balloon.statistics();
    balloon.request_statistics();
    const VirtioBalloon::Size size = balloon.size();
    BalloonStatisticsAnswer answer{
        size.target_mib(), size.actual_mib(), size.target_pages, size.actual_pages, {}};
    const std::pair<const char*, std::optional<std::uint64_t>> members[] = {
        {"swap_in", told.swap_in},
        {"swap_out", told.swap_out},
        {"major_faults", told.major_faults},
        {"minor_faults", told.minor_faults},
        {"free_memory", told.free_memory},
        {"total_memory", told.total_memory},
        {"available_memory", told.available_memory},
        {"disk_caches", told.disk_caches},
        {"hugetlb_allocations", told.hugetlb_allocations},
        {"hugetlb_failures", told.hugetlb_failures},
        {"oom_kill", told.oom_kill},
        {"alloc_stall", told.alloc_stall},
        {"async_scan", told.async_scan},
        {"direct_scan", told.direct_scan},
        {"async_reclaim", told.async_reclaim},
        {"direct_reclaim", told.direct_reclaim},
    };
    for (const auto& [name, value] : members) {
        if (value)
            answer.from_guest.emplace_back(name, *value);
    }
    return answer;
}

BalloonHintingAnswer hinting_of(VirtioBalloon& balloon) {
    if (!balloon.hinting_enabled())
        throw Error("balloon/hinting: the balloon was made without free_page_hinting");
    const VirtioBalloon::HintingStatus status = balloon.hinting_status();
    return {status.host_command, status.guest_command};
}

void press_ctrl_alt_delete(VirtualMachine& vm) {
    auto* const keyboard = dynamic_cast<I8042*>(vm.machine().find("i8042"));
    if (keyboard != nullptr && keyboard->guest_listens())
        keyboard->press_ctrl_alt_delete();
    else
        vm.push_power_button();
}

Document screen_text(const VirtualMachine& vm) {
    const auto text = screen_of(vm).text();
    if (!text)
        throw Error("screen: it shows graphics; ask for a picture, Accept: image/png");
    std::string lines;
    for (const std::string& line : text->lines())
        lines.append(line).push_back('\n');
    return {"text/plain; charset=utf-8", std::move(lines)};
}

Document screen_png(const VirtualMachine& vm) {
    return {"image/png", png_bytes(screen_of(vm).image())};
}

} // namespace coldstart
