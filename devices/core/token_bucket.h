// A bucket of tokens: what a rate limiter counts bytes or operations with.
// Semantics: the TokenBucket of Firecracker's API document.
//
// It holds `size` tokens, is full at first, and fills from empty to full in `refill_time_ms`, at a
// constant rate. Above them stands a one-time burst, which is used first and never comes back. An
// operation that needs more than the bucket holds passes when the bucket is full and leaves it in
// debt, so that the average rate stays what it is.
//
// Arithmetic is exact, in integers: no fraction of a token is lost or made, however often the
// bucket is asked, and no number of the configuration overflows. Times are Clock::now_ns.
// Limits: a refill time beyond 292 years counts as 292 years.
// Threads: one at a time. Nothing here allocates.
#pragma once

#include "vmm/base/state_io.h"

#include <cstdint>

namespace coldstart {

struct TokenBucketOptions {
    std::uint64_t size = 0;           ///< 0: no limit
    std::uint64_t refill_time_ms = 0; ///< 0: no limit
    std::uint64_t one_time_burst = 0;

    bool limits() const noexcept { return size != 0 && refill_time_ms != 0; }
    bool operator==(const TokenBucketOptions&) const noexcept = default;
};

class TokenBucket {
  public:
    TokenBucket() = default; ///< one that does not limit
    TokenBucket(const TokenBucketOptions& options, std::uint64_t now_ns) noexcept;

    const TokenBucketOptions& options() const noexcept { return options_; }
    bool limits() const noexcept { return options_.limits(); }
    /// From empty to full.
    std::uint64_t refill_ns() const noexcept;

    /// What has come in until `now_ns`; a time before the last one changes nothing.
    void refill(std::uint64_t now_ns) noexcept;
    /// How long after the last refill() `tokens` can be taken; 0: at once.
    std::uint64_t wait_ns(std::uint64_t tokens) const noexcept;
    /// Takes them, whether they are there or not.
    void take(std::uint64_t tokens) noexcept;
    /// What can be taken without debt; all of 64 bits when it does not limit.
    std::uint64_t available() const noexcept;

    void save(StateWriter& writer) const;
    /// The moment of the save becomes `now_ns`. Throws Error.
    void restore(StateReader& reader, std::uint64_t now_ns);

  private:
    TokenBucketOptions options_;
    std::uint64_t burst_ = 0;   ///< what is left of it
    std::uint64_t missing_ = 0; ///< from a full bucket; more than its size is debt
    std::uint64_t carry_ = 0;   ///< the part of a token that came in, in 1/refill_ns()
    std::uint64_t updated_ns_ = 0;
};

} // namespace coldstart
