// How connections to the metadata service end, and what belongs to none.
#include "tests/unit/mmds_guest.h"

using namespace coldstart;
using namespace coldstart::fakes;
using Guest = MmdsGuest;

namespace {

const std::string get_name = "GET /name HTTP/1.1\r\n\r\n";

bool answers_name(const std::string& answer) {
    return answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nguest one");
}

} // namespace

TEST_CASE("a half-closed connection is answered before it ends", "[mmds]") {
    Guest guest;
    GuestConnection connection(guest);
    connection.send(get_name, Guest::fin | Guest::ack);
    CHECK(answers_name(connection.receive()));
    CHECK(connection.closed);
    CHECK(guest.metadata.counters.connections_destroyed == 1);
    GuestConnection unfinished(guest, 40001);
    unfinished.send("GET /name", Guest::fin | Guest::ack);
    CHECK(unfinished.receive().empty());
    CHECK(unfinished.closed);
}

TEST_CASE("keep-alive probes are answered", "[mmds]") {
    Guest guest;
    GuestConnection connection(guest);
    for (const char* payload : {"", "x"}) {
        GuestSegment probe = connection.make(Guest::ack, payload);
        --probe.sequence;
        guest.send(probe);
        const GuestSegment answer = guest.expect_segment();
        CHECK(answer.flags == Guest::ack);
        CHECK(answer.acknowledged == connection.next());
        CHECK(answer.sequence == connection.expected());
    }
    CHECK(answers_name(connection.ask(get_name)));
}

TEST_CASE("segments of no connection are answered with a reset", "[mmds]") {
    Guest guest;
    SECTION("data") {
        guest.send({.sequence = 5, .acknowledged = 77, .payload = "data"});
        const GuestSegment reset = guest.expect_segment();
        CHECK(reset.flags == Guest::rst);
        CHECK(reset.sequence == 77);
    }
    SECTION("a call of another port") {
        guest.send({.to_port = 443, .sequence = 5, .flags = Guest::syn});
        const GuestSegment reset = guest.expect_segment();
        CHECK(reset.flags == (Guest::rst | Guest::ack));
        CHECK(reset.from_port == 443);
        CHECK(reset.acknowledged == 6);
    }
    SECTION("a reset") {
        guest.send({.flags = Guest::rst});
        CHECK(guest.receive_frame().empty());
    }
    SECTION("more than can wait are dropped") {
        for (int i = 0; i < 100; ++i)
            guest.send({});
        unsigned count = 0;
        while (!guest.receive_frame().empty())
            ++count;
        CHECK(count == 64);
    }
}

TEST_CASE("resets and calls inside a connection must fit", "[mmds]") {
    Guest guest;
    GuestConnection connection(guest);
    GuestSegment reset = connection.make(Guest::rst);
    ++reset.sequence;
    guest.send(reset);
    CHECK(guest.expect_segment().flags == Guest::ack); // a challenge
    reset.sequence += 100000;
    guest.send(reset);
    CHECK(guest.receive_frame().empty());
    guest.send(connection.make(Guest::syn));
    CHECK(guest.expect_segment().flags == Guest::ack);
    GuestSegment ahead = connection.make(Guest::ack);
    ahead.acknowledged += 1000;
    guest.send(ahead);
    CHECK(guest.expect_segment().flags == Guest::ack);
    CHECK(answers_name(connection.ask(get_name)));
    guest.send(connection.make(Guest::rst));
    CHECK(guest.metadata.counters.connections_destroyed == 1);
    CHECK(guest.receive_frame().empty());
}

TEST_CASE("a lost answer to a call is sent again", "[mmds]") {
    Guest guest;
    const GuestSegment call{.sequence = 9, .flags = Guest::syn};
    guest.send(call);
    const GuestSegment first = guest.expect_segment();
    guest.clock.advance(600'000'000);
    CHECK(guest.expect_segment().sequence == first.sequence);
    guest.send(call);
    CHECK(guest.expect_segment().sequence == first.sequence);
    GuestSegment wrong{.sequence = 10, .acknowledged = first.sequence + 5};
    guest.send(wrong);
    const GuestSegment reset = guest.expect_segment();
    CHECK((reset.flags & Guest::rst) != 0);
    CHECK(reset.sequence == first.sequence + 5);
}

TEST_CASE("connections have a limit, and idle ones give way", "[mmds]") {
    Guest guest;
    for (std::uint16_t i = 0; i < 30; ++i)
        GuestConnection(guest, static_cast<std::uint16_t>(2000 + i));
    const GuestSegment call{.from_port = 3000, .flags = Guest::syn};
    guest.send(call);
    CHECK(guest.expect_segment().flags == (Guest::rst | Guest::ack));
    guest.clock.advance(11'000'000'000);
    guest.send(call);
    CHECK(guest.expect_segment().flags == (Guest::syn | Guest::ack));
    CHECK(guest.metadata.counters.connections_created == 31);
    CHECK(guest.metadata.counters.connections_destroyed == 1);
}

TEST_CASE("a guest that does not close is left behind", "[mmds]") {
    Guest guest;
    GuestConnection connection(guest);
    CHECK(connection.ask("GET /name HTTP/1.0\r\n\r\nrest").ends_with("guest one"));
    CHECK(connection.closed);
    CHECK(connection.ask(std::string(1000, 'x')).empty()); // taken and thrown away
    CHECK(connection.acknowledged == connection.next());
    CHECK_FALSE(connection.reset);
    guest.clock.advance(31'000'000'000);
    CHECK(guest.receive_frame().empty());
    CHECK(guest.metadata.counters.connections_destroyed == 1);
}
