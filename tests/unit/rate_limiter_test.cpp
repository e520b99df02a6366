// The rate limiter on a clock turned by hand: rates, bursts, debts, changes while it runs.
#include "devices/core/rate_limiter.h"
#include "vmm/base/error.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <limits>
#include <random>

using namespace coldstart;

namespace {

constexpr std::uint64_t ms = 1'000'000;
constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t start_ns = 5'000 * ms;

/// One that always has work: operations of `bytes` until `end_ns`; how many took place. Each timer
/// is late by up to `lateness_ns`.
std::uint64_t operations_until(RateLimiter& limiter, std::uint64_t bytes, std::uint64_t& now_ns,
                               std::uint64_t end_ns, std::uint64_t lateness_ns = 0) {
    std::mt19937_64 random(bytes);
    std::uint64_t count = 0;
    while (now_ns < end_ns) {
        if (limiter.admit(bytes, 1, now_ns)) {
            limiter.charge(bytes, 1);
            ++count;
            continue;
        }
        REQUIRE(limiter.retry_ns() > now_ns);
        now_ns = limiter.retry_ns() + (lateness_ns != 0 ? random() % lateness_ns : 0);
    }
    return count;
}

bool within(double value, double expected, double part) {
    return value >= expected * (1 - part) && value <= expected * (1 + part);
}

std::vector<std::byte> saved(const RateLimiter& limiter, std::uint64_t now_ns) {
    StateWriter writer;
    limiter.save(writer, now_ns);
    return writer.bytes();
}

} // namespace

TEST_CASE("a bandwidth holds, whatever the sizes", "[limiter]") {
    for (const std::uint64_t size : {1ull, 7ull, 1500ull, 65536ull, 1ull << 30, 1ull << 45}) {
        for (const std::uint64_t refill_ms : {1ull, 13ull, 100ull, 1000ull, 3600'000ull}) {
            for (const std::uint64_t bytes :
                 {size / 300 + 1, size / 3 + 1, size, size + 1, 10 * size}) {
                for (const bool late : {false, true}) {
                    CAPTURE(size, refill_ms, bytes, late);
                    RateLimiter limiter({.bytes = {size, refill_ms}}, start_ns);
                    std::uint64_t now_ns = start_ns;
                    // The full bucket it starts with is no part of the rate.
                    operations_until(limiter, bytes, now_ns, start_ns + 2 * refill_ms * ms);
                    const std::uint64_t from_ns = now_ns;
                    const double per_ns =
                        static_cast<double>(size) / static_cast<double>(refill_ms * ms);
                    const double span = std::max(500.0 * static_cast<double>(bytes),
                                                 200.0 * static_cast<double>(size)) /
                                        per_ns;
                    const std::uint64_t count = operations_until(
                        limiter, bytes, now_ns, from_ns + static_cast<std::uint64_t>(span),
                        late ? refill_ms * ms / 2 : 0);
                    const double rate = static_cast<double>(count) * static_cast<double>(bytes) /
                                        static_cast<double>(now_ns - from_ns);
                    CHECK(within(rate, per_ns, 0.01));
                }
            }
        }
    }
}

TEST_CASE("operations are limited beside bytes", "[limiter]") {
    RateLimiter limiter({.bytes = {1'000'000, 1000}, .operations = {50, 500}}, start_ns);
    std::uint64_t now_ns = start_ns;
    SECTION("small ones by their number") {
        CHECK(operations_until(limiter, 10, now_ns, start_ns + 10'000 * ms + 1) == 50 + 1000);
    }
    SECTION("large ones by their bytes") {
        CHECK(operations_until(limiter, 100'000, now_ns, start_ns + 10'000 * ms + 1) == 10 + 100);
    }
    SECTION("one that is refused takes nothing") {
        limiter.charge(0, 50);
        CHECK_FALSE(limiter.admit(1'000'000, 1, now_ns));
        now_ns = limiter.retry_ns();
        CHECK(limiter.admit(1'000'000, 1, now_ns));
    }
}

TEST_CASE("a full bucket is a burst and not more", "[limiter]") {
    RateLimiter limiter({.bytes = {1000, 100}}, start_ns);
    std::uint64_t now_ns = start_ns;
    CHECK(operations_until(limiter, 100, now_ns, start_ns + 1) == 10);
    // However long nobody comes.
    limiter.forget_waiting();
    now_ns += 3600'000 * ms;
    CHECK(operations_until(limiter, 100, now_ns, now_ns + 1) == 10);
}

TEST_CASE("a one-time burst comes first and once", "[limiter]") {
    RateLimiter limiter({.bytes = {1000, 100, 5000}}, start_ns);
    std::uint64_t now_ns = start_ns;
    CHECK(operations_until(limiter, 100, now_ns, start_ns + 1) == 60);
    limiter.forget_waiting();
    now_ns += 1000 * ms;
    CHECK(operations_until(limiter, 100, now_ns, now_ns + 1) == 10);

    SECTION("an operation may take the rest of it and more") {
        RateLimiter other({.bytes = {1000, 100, 50}}, start_ns);
        REQUIRE(other.admit(1050, 1, start_ns));
        other.charge(1050, 1);
        CHECK_FALSE(other.admit(1000, 1, start_ns));
        CHECK(other.retry_ns() == start_ns + 100 * ms);
    }
}

TEST_CASE("an operation larger than its bucket leaves a debt", "[limiter]") {
    RateLimiter limiter({.bytes = {1000, 100}}, start_ns);
    REQUIRE(limiter.admit(10'000, 1, start_ns));
    limiter.charge(10'000, 1);
    // 9,000 of debt, and one to spend.
    REQUIRE_FALSE(limiter.admit(1, 1, start_ns + 1));
    CHECK(limiter.retry_ns() >= start_ns + 900 * ms + ms / 10);
    CHECK(limiter.retry_ns() <= start_ns + 902 * ms);

    SECTION("it waits for a full bucket") {
        limiter.forget_waiting();
        REQUIRE_FALSE(limiter.admit(2000, 1, start_ns + 950 * ms));
        CHECK(limiter.retry_ns() == start_ns + 1000 * ms);
        CHECK(limiter.admit(2000, 1, start_ns + 1000 * ms));
    }
}

TEST_CASE("while one waits no other passes", "[limiter]") {
    RateLimiter limiter({.bytes = {1000, 1000}}, start_ns);
    limiter.charge(900, 1);
    REQUIRE_FALSE(limiter.admit(500, 1, start_ns));
    CHECK_FALSE(limiter.admit(1, 1, start_ns + 399 * ms));
    CHECK(limiter.retry_ns() == start_ns + 400 * ms);
    SECTION("until its time has come") {
        CHECK(limiter.admit(500, 1, start_ns + 400 * ms));
    }
    SECTION("or it is gone") {
        limiter.forget_waiting();
        CHECK(limiter.admit(1, 1, start_ns));
    }
    SECTION("a larger one in its place waits longer") {
        REQUIRE_FALSE(limiter.admit(700, 1, start_ns + 400 * ms));
        CHECK(limiter.retry_ns() == start_ns + 600 * ms);
        CHECK(limiter.admit(700, 1, start_ns + 600 * ms));
    }
}

TEST_CASE("a limit of many small operations sleeps for a moment at least", "[limiter]") {
    RateLimiter limiter({.bytes = {1'000'000'000, 1000}}, start_ns);
    limiter.charge(1'000'000'000, 1);
    REQUIRE_FALSE(limiter.admit(1500, 1, start_ns));
    CHECK(limiter.retry_ns() == start_ns + ms);
}

TEST_CASE("no fraction of a token is lost or made", "[limiter]") {
    TokenBucket bucket({.size = 1'000'003, .refill_time_ms = 977}, start_ns);
    bucket.take(1'000'003);
    std::mt19937_64 random(1);
    std::uint64_t now_ns = start_ns;
    while (now_ns < start_ns + 900 * ms) {
        now_ns += random() % 3000;
        bucket.refill(now_ns);
    }
    CHECK(bucket.available() == (now_ns - start_ns) * 1'000'003 / (977 * ms));
    bucket.refill(start_ns); // a clock that went back is none
    CHECK(bucket.available() == (now_ns - start_ns) * 1'000'003 / (977 * ms));

    const std::uint64_t wait_ns = bucket.wait_ns(1'000'003);
    TokenBucket early = bucket;
    early.refill(now_ns + wait_ns - 1);
    CHECK(early.wait_ns(1'000'003) == 1);
    bucket.refill(now_ns + wait_ns);
    CHECK(bucket.wait_ns(1'000'003) == 0);
}

TEST_CASE("what does not limit is no limit", "[limiter]") {
    for (const TokenBucketOptions none : {TokenBucketOptions{}, {0, 100, 7}, {100, 0, 7}}) {
        RateLimiter limiter({.bytes = none, .operations = none}, start_ns);
        CHECK_FALSE(limiter.limits());
        limiter.charge(most, most);
        CHECK(limiter.admit(most, most, start_ns));
    }
}

TEST_CASE("a change keeps the bucket that it does not name", "[limiter]") {
    RateLimiter limiter({.bytes = {1000, 1000}, .operations = {10, 1000}}, start_ns);
    limiter.charge(1000, 4);
    REQUIRE_FALSE(limiter.admit(1, 1, start_ns));

    SECTION("another bucket of bytes, full") {
        limiter.update({.bytes = TokenBucketOptions{600, 1000, 0}}, start_ns);
        CHECK(limiter.admit(600, 6, start_ns));
        CHECK_FALSE(limiter.admit(600, 7, start_ns)); // of the old ten
        CHECK(limiter.options() == RateLimitOptions{{600, 1000, 0}, {10, 1000, 0}});
    }
    SECTION("no limit of bytes any more") {
        limiter.update({.bytes = TokenBucketOptions{}}, start_ns);
        CHECK(limiter.admit(most, 6, start_ns));
        CHECK_FALSE(limiter.admit(1, 7, start_ns));
    }
    SECTION("no limit at all") {
        limiter.update({.bytes = TokenBucketOptions{}, .operations = TokenBucketOptions{}},
                       start_ns);
        CHECK_FALSE(limiter.limits());
        CHECK(limiter.admit(most, most, start_ns));
    }
    SECTION("nothing") {
        limiter.update({}, start_ns + 500 * ms);
        CHECK(limiter.admit(500, 1, start_ns + 500 * ms));
        CHECK_FALSE(limiter.admit(501, 1, start_ns + 500 * ms));
    }
    SECTION("a limit where none was") {
        RateLimiter fresh;
        fresh.update({.operations = TokenBucketOptions{3, 1000, 2}}, start_ns);
        std::uint64_t now_ns = start_ns;
        CHECK(operations_until(fresh, 1, now_ns, start_ns + 1) == 5);
    }
}

TEST_CASE("no numbers are too large", "[limiter]") {
    for (const std::uint64_t size : {std::uint64_t{1}, most / 2, most}) {
        for (const std::uint64_t refill_ms : {std::uint64_t{1}, most / 1'000'000, most}) {
            for (const std::uint64_t burst : {std::uint64_t{0}, most}) {
                for (const std::uint64_t bytes : {std::uint64_t{0}, std::uint64_t{1}, most}) {
                    CAPTURE(size, refill_ms, burst, bytes);
                    RateLimiter limiter(
                        {.bytes = {size, refill_ms, burst}, .operations = {size, refill_ms, burst}},
                        start_ns);
                    std::uint64_t now_ns = start_ns;
                    for (unsigned i = 0; i < 8; ++i) {
                        if (limiter.admit(bytes, bytes, now_ns)) {
                            limiter.charge(bytes, bytes);
                            limiter.charge(bytes, bytes); // more than was admitted
                        } else {
                            REQUIRE(limiter.retry_ns() > now_ns);
                            REQUIRE(limiter.retry_ns() <= most / 2);
                            now_ns = limiter.retry_ns();
                        }
                        if (now_ns >= most / 2)
                            break;
                        saved(limiter, now_ns);
                    }
                    CHECK((bytes != 0 || limiter.admit(0, 0, most)));
                }
            }
        }
    }
    TokenBucket bucket({.size = most, .refill_time_ms = 1}, 0);
    bucket.take(most);
    bucket.refill(most);
    CHECK(bucket.available() == most);
}

TEST_CASE("a limiter goes on where it was saved", "[limiter]") {
    RateLimiter limiter({.bytes = {1000, 1000, 300}, .operations = {7, 300}}, start_ns);
    limiter.charge(1250, 7);
    const std::uint64_t saved_ns = start_ns + 100 * ms + 12345;
    const auto state = saved(limiter, saved_ns);
    for (const std::uint64_t restored_ns : {std::uint64_t{0}, saved_ns}) {
        RateLimiter other;
        StateReader reader(state);
        other.restore(reader, restored_ns);
        CHECK(reader.at_end());
        CHECK(saved(other, restored_ns) == state);
        CHECK(other.options() == limiter.options());
        CHECK(other.limits());
        const bool here = other.admit(0, 3, restored_ns);
        CHECK_FALSE(here);
        RateLimiter original = limiter;
        CHECK_FALSE(original.admit(0, 3, saved_ns));
        CHECK(other.retry_ns() - restored_ns == original.retry_ns() - saved_ns);
    }
}

TEST_CASE("a limiter's damaged state is refused", "[limiter]") {
    const auto restore_of = [](std::uint64_t burst, std::uint64_t missing, std::uint64_t carry,
                               std::uint64_t refill_time_ms = 1) {
        StateWriter writer;
        const TokenBucketOptions options{10, refill_time_ms, 5};
        writer.fields(options.size, options.refill_time_ms, options.one_time_burst, burst, missing,
                      carry);
        StateReader reader(writer.bytes());
        TokenBucket bucket;
        bucket.restore(reader, start_ns);
    };
    CHECK_NOTHROW(restore_of(5, 3, 999'999));
    CHECK_NOTHROW(restore_of(0, most, 0));
    CHECK_THROWS_AS(restore_of(6, 0, 0), Error);
    CHECK_THROWS_AS(restore_of(0, 3, 1'000'000), Error);
    CHECK_THROWS_AS(restore_of(0, 0, 1), Error);
    CHECK_THROWS_AS(restore_of(1, 0, 0, 0), Error);
}
