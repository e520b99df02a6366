#include "devices/core/rate_limiter.h"

#include <algorithm>
#include <limits>

namespace coldstart {
namespace {

// Far enough away to be never, and a timer's arithmetic does not wrap.
constexpr std::uint64_t never_ns = std::numeric_limits<std::uint64_t>::max() / 2;
// The shortest sleep, but never so long that a bucket runs over meanwhile.
constexpr std::uint64_t usual_nap_ns = 1'000'000;

std::uint64_t nap_ns(const TokenBucket& bucket) noexcept {
    return bucket.limits() ? std::min(usual_nap_ns, bucket.refill_ns() / 4) : usual_nap_ns;
}

std::uint64_t later(std::uint64_t time_ns, std::uint64_t by_ns) noexcept {
    return time_ns + std::min(by_ns, never_ns - std::min(time_ns, never_ns));
}

} // namespace

RateLimiter::RateLimiter(const RateLimitOptions& options, std::uint64_t now_ns) noexcept
    : bytes_(options.bytes, now_ns), operations_(options.operations, now_ns),
      limits_(options.limits()) {}

void RateLimiter::refill(std::uint64_t now_ns) noexcept {
    bytes_.refill(now_ns);
    operations_.refill(now_ns);
}

bool RateLimiter::admit(std::uint64_t bytes, std::uint64_t operations,
                        std::uint64_t now_ns) noexcept {
    if (!limits_)
        return true;
    if (waiting_ && now_ns < due_ns_)
        return false;
    // The one that waited is accounted for when it was due, all others now.
    const std::uint64_t from_ns = waiting_ ? due_ns_ : now_ns;
    refill(from_ns);
    const std::uint64_t wait_ns = std::max(bytes_.wait_ns(bytes), operations_.wait_ns(operations));
    const std::uint64_t due_ns = later(from_ns, wait_ns);
    if (wait_ns == 0 || due_ns <= now_ns) {
        refill(due_ns);
        waiting_ = false;
        return true;
    }
    waiting_ = true;
    due_ns_ = due_ns;
    retry_ns_ = std::max(due_ns, later(now_ns, std::min(nap_ns(bytes_), nap_ns(operations_))));
    return false;
}

void RateLimiter::charge(std::uint64_t bytes, std::uint64_t operations) noexcept {
    bytes_.take(bytes);
    operations_.take(operations);
}

void RateLimiter::update(const RateLimitUpdate& update, std::uint64_t now_ns) noexcept {
    refill(now_ns);
    if (update.bytes)
        bytes_ = TokenBucket(*update.bytes, now_ns);
    if (update.operations)
        operations_ = TokenBucket(*update.operations, now_ns);
    limits_ = bytes_.limits() || operations_.limits();
    waiting_ = false;
}

void RateLimiter::save(StateWriter& writer, std::uint64_t now_ns) const {
    RateLimiter now = *this;
    now.refill(now_ns);
    writer.begin("rate-limiter", 1);
    now.bytes_.save(writer);
    now.operations_.save(writer);
}

void RateLimiter::restore(StateReader& reader, std::uint64_t now_ns) {
    RateLimiter restored;
    reader.begin("rate-limiter", 1);
    restored.bytes_.restore(reader, now_ns);
    restored.operations_.restore(reader, now_ns);
    restored.limits_ = restored.bytes_.limits() || restored.operations_.limits();
    *this = restored;
}

} // namespace coldstart
