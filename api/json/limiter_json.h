// Rate limiters as Firecracker's API has them: {"bandwidth": BUCKET, "ops": BUCKET}, where a BUCKET
// is {"size", "refill_time", "one_time_burst"}.
// Threads: any.
#pragma once

#include "api/command/vm_config.h"
#include "api/json/json_reader.h"

#include <string>

namespace coldstart {

/// Throws Error naming `what`. Unknown fields are passed over in a bucket, and only there.
RateLimiterConfig rate_limiter(const Json& value, const std::string& what);
TokenBucketConfig token_bucket(const Json& value, const std::string& what);

/// null when nothing is limited.
Json limiter_json(const RateLimiterConfig& limiter);
Json bucket_json(const std::optional<TokenBucketConfig>& bucket);

} // namespace coldstart
