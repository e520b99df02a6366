// The statistics queue: the driver leaves a buffer here, and takes it back filled anew whenever the
// device returns it. Source: virtio 1.2, section 5.5.6.3.
#include "virtio/balloon/virtio_balloon.h"
#include "vmm/base/error.h"

#include <algorithm>

namespace coldstart {
namespace {

constexpr std::uint64_t ns_a_second = 1'000'000'000;
constexpr std::uint64_t max_statistics = 256; ///< of one buffer; a driver has 16

} // namespace

std::uint32_t VirtioBalloon::statistics_interval_s() {
    const std::lock_guard guard(lock());
    return host_.statistics_interval_s;
}

void VirtioBalloon::set_statistics_interval(std::uint32_t interval_s) {
    if ((interval_s != 0) != statistics_enabled())
        throw Error("balloon statistics can't be switched on or off after the start",
                    "choose an interval before it, and one of at least 1 second");
    const std::lock_guard guard(lock());
    if (host_.statistics_interval_s == interval_s)
        return;
    host_.statistics_interval_s = interval_s;
    give_statistics_back();
    arm_timer();
}

void VirtioBalloon::request_statistics() {
    const std::lock_guard guard(lock());
    give_statistics_back();
}

BalloonStatistics VirtioBalloon::statistics() {
    if (!statistics_enabled())
        throw Error("balloon statistics are off", "choose an interval for them before the start");
    const std::lock_guard guard(lock());
    return statistics_;
}

void VirtioBalloon::hold_statistics(SplitQueue& queue, const DescriptorChain& chain) noexcept {
    // A driver has one buffer here. What another did before it is not lost for it.
    if (driver_.statistics_held)
        queue.push_used(driver_.statistics_head, 0);
    driver_.statistics_held = true;
    driver_.statistics_head = chain.head;
    statistics_count_.add();

    std::array<std::byte, balloon::statistic_bytes> entry{};
    const std::uint64_t told = chain.readable_bytes / entry.size();
    for (std::uint64_t i = 0; i < std::min(told, max_statistics); ++i) {
        copy_from_segments(chain.readable, i * entry.size(), entry);
        if (auto* const value = statistics_.find(load_le<std::uint16_t>(entry)))
            *value = load_le<std::uint64_t>(entry, sizeof(std::uint16_t));
    }
}

void VirtioBalloon::give_statistics_back() noexcept {
    if (!working() || !driver_.statistics_held)
        return;
    const auto role = std::find(roles_.begin(), roles_.end(), Role::statistics);
    if (role == roles_.end())
        return;
    const auto index = static_cast<unsigned>(role - roles_.begin());
    SplitQueue& queue = active_->queues[index];
    driver_.statistics_held = false;
    queue.push_used(driver_.statistics_head, 0);
    driver_.statistics_head = 0;
    if (queue.publish())
        active_->notifier.queue_used(index);
}

void VirtioBalloon::arm_timer() noexcept {
    if (accepted(balloon::feature_stats_vq) && host_.statistics_interval_s != 0)
        timer_->arm(clock_.now_ns() + host_.statistics_interval_s * ns_a_second);
}

void VirtioBalloon::timer_fired() noexcept {
    const std::lock_guard guard(lock());
    give_statistics_back();
    arm_timer();
}

} // namespace coldstart
