// The rate limits of the configuration as the devices take them.
// Threads: any.
#pragma once

#include "api/command/vm_config.h"
#include "devices/core/rate_limiter.h"

namespace coldstart {

inline TokenBucketOptions token_bucket_of(const TokenBucketConfig& config) noexcept {
    return {.size = config.size,
            .refill_time_ms = config.refill_time_ms,
            .one_time_burst = config.one_time_burst};
}

inline std::optional<TokenBucketOptions>
token_bucket_of(const std::optional<TokenBucketConfig>& config) noexcept {
    if (!config)
        return std::nullopt;
    return token_bucket_of(*config);
}

/// Of a device that is made: an absent bucket does not limit.
inline RateLimitOptions rate_limit_of(const RateLimiterConfig& config) noexcept {
    return {.bytes = token_bucket_of(config.bandwidth.value_or(TokenBucketConfig{})),
            .operations = token_bucket_of(config.operations.value_or(TokenBucketConfig{}))};
}

/// For a device that runs: an absent bucket stays as it is.
inline RateLimitUpdate rate_limit_update_of(const RateLimiterConfig& config) noexcept {
    return {.bytes = token_bucket_of(config.bandwidth),
            .operations = token_bucket_of(config.operations)};
}

} // namespace coldstart
