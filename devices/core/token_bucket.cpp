#include "devices/core/token_bucket.h"

#include "vmm/base/error.h"

#include <algorithm>
#include <limits>

namespace coldstart {
namespace {

__extension__ typedef unsigned __int128 Wide;

constexpr std::uint64_t ns_per_ms = 1'000'000;
constexpr std::uint64_t all_bits = std::numeric_limits<std::uint64_t>::max();
// Half the range for times, so that a time multiplied by any 64-bit number leaves room for a carry.
constexpr std::uint64_t max_span_ns = all_bits / 2;

} // namespace

TokenBucket::TokenBucket(const TokenBucketOptions& options, std::uint64_t now_ns) noexcept
    : options_(options), burst_(options.limits() ? options.one_time_burst : 0),
      updated_ns_(now_ns) {}

std::uint64_t TokenBucket::refill_ns() const noexcept {
    return std::min(options_.refill_time_ms, max_span_ns / ns_per_ms) * ns_per_ms;
}

void TokenBucket::refill(std::uint64_t now_ns) noexcept {
    if (!limits() || now_ns <= updated_ns_)
        return;
    const std::uint64_t span_ns = std::min(now_ns - updated_ns_, max_span_ns);
    updated_ns_ = now_ns;
    if (missing_ == 0)
        return;
    const Wide parts = Wide{span_ns} * options_.size + carry_;
    const Wide tokens = parts / refill_ns();
    if (tokens >= missing_) {
        missing_ = 0;
        carry_ = 0;
        return;
    }
    missing_ -= static_cast<std::uint64_t>(tokens);
    carry_ = static_cast<std::uint64_t>(parts % refill_ns());
}

std::uint64_t TokenBucket::wait_ns(std::uint64_t tokens) const noexcept {
    if (!limits() || tokens <= burst_)
        return 0;
    const std::uint64_t needed = std::min(tokens - burst_, options_.size);
    if (missing_ <= options_.size - needed)
        return 0;
    // At least one token is to come, which is more than the carry.
    const std::uint64_t to_come = missing_ - (options_.size - needed);
    const Wide parts = Wide{to_come} * refill_ns() - carry_;
    const Wide wait_ns = (parts + options_.size - 1) / options_.size;
    return wait_ns < max_span_ns ? static_cast<std::uint64_t>(wait_ns) : max_span_ns;
}

void TokenBucket::take(std::uint64_t tokens) noexcept {
    if (!limits())
        return;
    const std::uint64_t from_burst = std::min(tokens, burst_);
    burst_ -= from_burst;
    missing_ += std::min(tokens - from_burst, all_bits - missing_);
}

std::uint64_t TokenBucket::available() const noexcept {
    if (!limits())
        return all_bits;
    const std::uint64_t held = options_.size - std::min(missing_, options_.size);
    return held + std::min(burst_, all_bits - held);
}

void TokenBucket::save(StateWriter& writer) const {
    const auto& [size, refill_time_ms, one_time_burst] = options_;
    writer.fields(size, refill_time_ms, one_time_burst, burst_, missing_, carry_);
}

void TokenBucket::restore(StateReader& reader, std::uint64_t now_ns) {
    TokenBucket restored;
    auto& [size, refill_time_ms, one_time_burst] = restored.options_;
    reader.fields(size, refill_time_ms, one_time_burst, restored.burst_, restored.missing_,
                  restored.carry_);
    restored.updated_ns_ = now_ns;
    const bool whole = restored.limits()
                           ? restored.burst_ <= one_time_burst &&
                                 restored.carry_ < restored.refill_ns() &&
                                 (restored.carry_ == 0 || restored.missing_ != 0)
                           : (restored.burst_ | restored.missing_ | restored.carry_) == 0;
    if (!whole)
        throw Error("saved state: a rate limiter with more than it holds",
                    "the file is damaged or comes from another version");
    *this = restored;
}

} // namespace coldstart
