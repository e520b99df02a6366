#include "virtio/core/throttle.h"

#include "vmm/base/error.h"

#include <cassert>
#include <utility>

namespace coldstart {

Throttle::Throttle(Clock* clock, const RateLimitOptions& limit, std::function<void()> go_on)
    : clock_(clock), go_on_(std::move(go_on)), limiter_(limit, now_ns()) {
    if (limit.limits())
        make_timer();
}

void Throttle::make_timer() {
    if (timer_ != nullptr)
        return;
    if (clock_ == nullptr)
        throw Error("a rate limit on a device that was given no clock");
    timer_ = clock_->make_timer([this] { go_on_(); });
}

void Throttle::prepare(const RateLimitUpdate& update) {
    if ((update.bytes && update.bytes->limits()) ||
        (update.operations && update.operations->limits()))
        make_timer();
}

bool Throttle::admit_limited(std::uint64_t bytes, std::uint64_t operations) noexcept {
    if (holding_)
        return false;
    if (limiter_.admit(bytes, operations, clock_->now_ns()))
        return true;
    holding_ = true;
    held_count_.fetch_add(1, std::memory_order_relaxed);
    timer_->arm(limiter_.retry_ns());
    return false;
}

void Throttle::stop() noexcept {
    limiter_.forget_waiting();
    if (std::exchange(holding_, false))
        timer_->cancel();
}

void Throttle::update(const RateLimitUpdate& update) noexcept {
    limiter_.update(update, now_ns());
    assert(timer_ != nullptr || !limiter_.limits());
    // What waits may pass now, or must wait longer: it is asked again at once.
    if (holding_)
        timer_->arm(now_ns());
}

void Throttle::restore(StateReader& reader) {
    RateLimiter restored;
    restored.restore(reader, now_ns());
    if (restored.limits())
        make_timer();
    stop();
    limiter_ = restored;
}

} // namespace coldstart
