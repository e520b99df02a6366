// A console's output within a rate limit.
#include "tests/fakes/fake_byte_stream.h"
#include "tests/fakes/fakes.h"
#include "vmm/runtime/streams/limited_stream.h"

#include <catch2/catch.hpp>
#include <optional>

using namespace coldstart;
using namespace coldstart::fakes;

namespace {

struct Console {
    explicit Console(const TokenBucketOptions& limit) {
        auto owned = std::make_unique<FakeByteStream>();
        inner = owned.get();
        stream.emplace(std::move(owned), limit, clock);
    }
    std::size_t write(std::string_view text) {
        return stream->write(std::as_bytes(std::span(text)));
    }

    FakeClock clock;
    FakeByteStream* inner = nullptr;
    std::optional<LimitedStream> stream;
};

} // namespace

TEST_CASE("output over its limit is dropped and counted", "[streams][limiter]") {
    Console c({10, 1000, 5});
    CHECK(c.write("0123456789") == 10);
    CHECK(c.write("abcdefgh") == 8); // the guest does not see what is lost
    CHECK(c.inner->written() == "0123456789abcde");
    CHECK(c.stream->dropped_bytes() == 3);
    CHECK(c.write("x") == 1);
    CHECK(c.stream->dropped_bytes() == 4);
    c.clock.advance(299'999'999);
    CHECK(c.write("ABC") == 3);
    CHECK(c.inner->written() == "0123456789abcdeAB");
    c.clock.advance(1);
    CHECK(c.write("C") == 1);
    CHECK(c.inner->written() == "0123456789abcdeABC");
    CHECK(c.stream->dropped_bytes() == 5);

    const std::size_t before = c.inner->written().size();
    for (unsigned i = 0; i < 10'000; ++i) {
        c.clock.advance(10'000'000);
        c.write("!");
    }
    CHECK(c.inner->written().size() - before == 1000);
}

TEST_CASE("output that the stream behind can't take stays the device's", "[streams][limiter]") {
    Console c({10, 1000, 0});
    c.inner->set_room(4);
    CHECK(c.write("0123456789") == 4);
    CHECK(c.stream->dropped_bytes() == 0);
    CHECK(c.write("456789") == 0);
    c.inner->set_room(100);
    CHECK(c.write("456789xyz") == 9);
    CHECK(c.inner->written() == "0123456789");
    CHECK(c.stream->dropped_bytes() == 3);
}

TEST_CASE("a limit of nothing limits nothing, and input passes", "[streams][limiter]") {
    Console c({});
    const std::string text(100'000, 't');
    CHECK(c.write(text) == text.size());
    CHECK(c.inner->written() == text);
    CHECK(c.stream->dropped_bytes() == 0);
    c.stream->input_wanted();
    CHECK(c.inner->wanted == 1);
}
