// At most so many bytes and operations a second: two token buckets that an operation must both
// pass, and when to try again one that must wait.
// Semantics: the RateLimiter of Firecracker's API document.
//
//     if (!limiter.admit(bytes, 1, now_ns)) -> a timer for limiter.retry_ns(), then the same again
//     else the operation, and limiter.charge(bytes, 1) if it took place
//
// While one operation waits, no other passes, so that a small one does not take the tokens that a
// large one waits for. One that waited counts as done at the moment at which it could have been:
// what the timer and the thread behind it are late does not slow the rate down. So that a small
// limit does not cost a wake-up for each operation, retry_ns() waits a moment for more tokens.
//
// Threads: one at a time (a device's lock). Nothing here allocates; only restore() throws.
#pragma once

#include "devices/core/token_bucket.h"
#include "vmm/base/state_io.h"

#include <cstdint>
#include <optional>

namespace coldstart {

struct RateLimitOptions {
    TokenBucketOptions bytes = {};
    TokenBucketOptions operations = {};

    bool limits() const noexcept { return bytes.limits() || operations.limits(); }
    bool operator==(const RateLimitOptions&) const noexcept = default;
};

/// A change while it runs: an absent bucket stays with all that is in it, a present one starts
/// full, and one that does not limit takes the limit away.
struct RateLimitUpdate {
    std::optional<TokenBucketOptions> bytes = {};
    std::optional<TokenBucketOptions> operations = {};
};

class RateLimiter {
  public:
    RateLimiter() = default; ///< one that does not limit
    RateLimiter(const RateLimitOptions& options, std::uint64_t now_ns) noexcept;

    bool limits() const noexcept { return limits_; }
    RateLimitOptions options() const noexcept { return {bytes_.options(), operations_.options()}; }

    /// True when the operation may take place now; nothing is taken yet.
    bool admit(std::uint64_t bytes, std::uint64_t operations, std::uint64_t now_ns) noexcept;
    /// Takes what an admitted operation used.
    void charge(std::uint64_t bytes, std::uint64_t operations) noexcept;
    /// After admit() said no: when to try again.
    std::uint64_t retry_ns() const noexcept { return retry_ns_; }
    /// The operation that waited is gone.
    void forget_waiting() noexcept { waiting_ = false; }

    void update(const RateLimitUpdate& update, std::uint64_t now_ns) noexcept;

    void save(StateWriter& writer, std::uint64_t now_ns) const;
    void restore(StateReader& reader, std::uint64_t now_ns);

  private:
    void refill(std::uint64_t now_ns) noexcept;

    TokenBucket bytes_;
    TokenBucket operations_;
    bool limits_ = false;
    bool waiting_ = false;     ///< an operation, until due_ns_
    std::uint64_t due_ns_ = 0; ///< when it can pass
    std::uint64_t retry_ns_ = 0;
};

} // namespace coldstart
