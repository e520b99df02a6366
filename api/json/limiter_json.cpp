#include "api/json/limiter_json.h"

#include "vmm/base/text.h"

namespace coldstart {

TokenBucketConfig token_bucket(const Json& value, const std::string& what) {
    constexpr std::uint64_t any = std::numeric_limits<std::uint64_t>::max();
    Members members(value, what);
    TokenBucketConfig bucket;
    bucket.size = members.required_integer("size", any);
    bucket.refill_time_ms = members.required_integer("refill_time", any);
    bucket.one_time_burst = members.integer("one_time_burst", any).value_or(0);
    return bucket;
}

RateLimiterConfig rate_limiter(const Json& value, const std::string& what) {
    Members members(value, what);
    RateLimiterConfig limiter;
    if (const Json* const bucket = members.value("bandwidth"))
        limiter.bandwidth = token_bucket(*bucket, cat(what, ": bandwidth"));
    if (const Json* const bucket = members.value("ops"))
        limiter.operations = token_bucket(*bucket, cat(what, ": ops"));
    members.done();
    return limiter;
}

Json bucket_json(const std::optional<TokenBucketConfig>& bucket) {
    if (!bucket || !bucket->limits())
        return nullptr;
    Json json;
    json["size"] = bucket->size;
    json["one_time_burst"] =
        bucket->one_time_burst == 0 ? Json(nullptr) : Json(bucket->one_time_burst);
    json["refill_time"] = bucket->refill_time_ms;
    return json;
}

Json limiter_json(const RateLimiterConfig& limiter) {
    const Json bandwidth = bucket_json(limiter.bandwidth), ops = bucket_json(limiter.operations);
    if (bandwidth.is_null() && ops.is_null())
        return nullptr;
    return {{"bandwidth", bandwidth}, {"ops", ops}};
}

} // namespace coldstart
