// The metadata service as a network sees it: ARP, TCP, and everything that is not for it.
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

TEST_CASE("the metadata service answers ARP for its address alone", "[mmds]") {
    Guest guest;
    CHECK(guest.send_frame(Guest::arp_request(Guest::service)) == NetBackend::Sent::taken);
    CHECK(guest.net.take_sent().empty());
    guest.clock.advance(0);
    CHECK(guest.client.told == 1);
    CHECK(guest.receive_frame() ==
          std::string("\x02\x00\x00\x00\x00\x05\x06\x01\x23\x45\x67\x01\x08\x06", 14) +
              Guest::number(0x0001080006040002, 8) + std::string("\x06\x01\x23\x45\x67\x01", 6) +
              Guest::number(Guest::service, 4) + std::string("\x02\x00\x00\x00\x00\x05", 6) +
              Guest::number(Guest::address, 4));
    CHECK(guest.receive_frame().empty());

    const std::string other = Guest::arp_request(Guest::service + 1);
    CHECK(guest.send_frame(other) == NetBackend::Sent::taken);
    const auto sent = guest.net.take_sent();
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].substr(12) == other);
}

TEST_CASE("what is not for the metadata service passes unchanged", "[mmds]") {
    Guest guest;
    const std::string frames[] = {
        Guest::ipv4(6, Guest::tcp({.flags = Guest::syn}), Guest::service + 1),
        Guest::ethernet(0x86dd, std::string(60, '6')),
        Guest::ethernet(0x8100, std::string(60, 'v')),
        Guest::ethernet(0x0806, Guest::number(0x0001080006040002, 8) + std::string(20, 'r')),
        Guest::ethernet(0x0800, "short"),
        std::string(14, 'x'),
    };
    for (const std::string& frame : frames) {
        CHECK(guest.send_frame(frame, 1, 1) == NetBackend::Sent::taken);
        const auto sent = guest.net.take_sent();
        REQUIRE(sent.size() == 1);
        CHECK(sent[0] == std::string("\x01\x01", 2) + std::string(10, '\0') + frame);
    }
    guest.net.set_room(0);
    CHECK(guest.send_frame(frames[1]) == NetBackend::Sent::full);
    CHECK(guest.send_frame(Guest::arp_request(Guest::service)) == NetBackend::Sent::taken);
    guest.net.arrive("from the network");
    CHECK(guest.receive_frame().size() == 42); // the ARP answer comes first
    std::string frame(NetBackend::max_frame_bytes, '?');
    frame.resize(guest.backend->receive(std::as_writable_bytes(std::span(frame))));
    CHECK(frame == "from the network");

    guest.net.offloads = {.checksum = true, .tso4 = true};
    CHECK(guest.backend->offloads() == guest.net.offloads);
    guest.backend->set_guest_offloads({.checksum = true});
    CHECK(guest.net.guest_offloads.checksum);
    guest.net.link_up = false;
    CHECK_FALSE(guest.backend->link_up());
}

TEST_CASE("packets for the metadata service that are no TCP segments vanish", "[mmds]") {
    Guest guest;
    guest.send_frame(Guest::ipv4(1, std::string(16, '\0')));
    guest.send_frame(Guest::ipv4(17, std::string(16, '\0')));
    const std::string call = Guest::tcp({.flags = Guest::syn});
    guest.send_frame(Guest::ipv4(6, call, Guest::service, 0x2000)); // the first of more fragments
    guest.send_frame(Guest::ipv4(6, call, Guest::service, 0x0010)); // a later one
    CHECK(guest.metadata.counters.rx_accepted_unusual == 4);
    guest.send_frame(Guest::ipv4(6, "short"));
    std::string damaged = Guest::ipv4(6, call);
    damaged[30] ^= 1; // of the service's address: then it is not for the service
    guest.send_frame(damaged);
    damaged = Guest::ipv4(6, call);
    damaged[24] ^= 1; // IPv4 checksum
    guest.send_frame(damaged);
    damaged = Guest::ipv4(6, call);
    damaged[50] ^= 1; // TCP checksum
    guest.send_frame(damaged);
    CHECK(guest.receive_frame().empty());
    CHECK(guest.metadata.counters.rx_bad_eth == 3);
    CHECK(guest.net.take_sent().size() == 1);
}

TEST_CASE("a request over TCP is answered, and the connection stays", "[mmds]") {
    Guest guest;
    GuestConnection connection(guest);
    CHECK(answers_name(connection.ask(get_name)));
    CHECK(connection.acknowledged == connection.next());
    CHECK(answers_name(connection.ask(get_name)));
    // Two at once are answered one after the other.
    CHECK(connection.ask(get_name + "GET / HTTP/1.1\r\n\r\n").find("guest oneHTTP/1.1 200") !=
          std::string::npos);
    CHECK_FALSE(connection.closed);
    connection.send("", Guest::fin | Guest::ack);
    CHECK(connection.receive().empty());
    CHECK(connection.closed);
    CHECK(connection.acknowledged == connection.next());
    CHECK(guest.metadata.counters.connections_created == 1);
    CHECK(guest.metadata.counters.connections_destroyed == 1);
    CHECK(guest.net.take_sent().empty());
    connection.send("more");
    connection.receive();
    CHECK(connection.reset);
}

TEST_CASE("a request cut into any two or into single bytes is the same request", "[mmds]") {
    Guest guest;
    std::uint16_t port = 1000;
    for (std::size_t cut = 1; cut < get_name.size(); ++cut) {
        GuestConnection connection(guest, ++port);
        CHECK(connection.ask(get_name.substr(0, cut)).empty());
        CHECK(answers_name(connection.ask(get_name.substr(cut))));
        connection.send("", Guest::fin | Guest::ack);
        connection.receive();
    }
    GuestConnection connection(guest);
    std::string answer;
    for (const char c : get_name)
        answer += connection.ask(std::string(1, c));
    CHECK(answers_name(answer));
}

TEST_CASE("segments out of order and twice do no harm", "[mmds]") {
    Guest guest;
    GuestConnection connection(guest);
    GuestSegment early = connection.make(Guest::ack, get_name.substr(5));
    early.sequence += 5;
    guest.send(early);
    const std::uint32_t before = connection.next();
    CHECK(connection.receive().empty());
    CHECK(connection.acknowledged == before);
    guest.send(connection.make(Guest::ack, get_name.substr(0, 5)));
    GuestSegment overlap = connection.make(Guest::ack, get_name.substr(0, 12));
    guest.send(overlap);
    CHECK(connection.receive().empty());
    CHECK(connection.acknowledged == before + 12);
    CHECK(answers_name(connection.ask(get_name))); // 12 known bytes of it
    guest.send(overlap);
    CHECK(connection.receive().empty());
    CHECK(connection.acknowledged == connection.next());
}

TEST_CASE("an end that comes before its data is no end yet", "[mmds]") {
    Guest guest;
    GuestConnection connection(guest);
    GuestSegment early = connection.make(Guest::fin | Guest::ack, "\r\n");
    early.sequence += static_cast<std::uint32_t>(get_name.size()) - 2;
    guest.send(early);
    CHECK(connection.receive().empty());
    CHECK_FALSE(connection.closed);
    connection.send(get_name, Guest::fin | Guest::ack);
    CHECK(answers_name(connection.receive()));
    CHECK(connection.closed);
}

TEST_CASE("requests that wait for their turn close the window, and it opens again", "[mmds]") {
    Guest guest;
    GuestConnection connection(guest);
    const std::string filled = "GET /name HTTP/1.1\r\nX: " + std::string(3000, 'f') + "\r\n\r\n";
    connection.send(filled);
    const GuestSegment answer = guest.expect_segment();
    connection.send(filled);
    CHECK(guest.expect_segment().window == 4096 - filled.size());
    GuestSegment rest = connection.make(Guest::ack, filled);
    guest.send(rest);
    GuestSegment full = guest.expect_segment();
    CHECK(full.window == 0);
    CHECK(full.acknowledged == rest.sequence + 4096 - filled.size());
    GuestSegment taken = connection.make(Guest::ack);
    taken.acknowledged += static_cast<std::uint32_t>(answer.payload.size());
    guest.send(taken);
    full = guest.expect_segment();
    CHECK(answers_name(full.payload));
    CHECK(full.window == filled.size());
}

TEST_CASE("what is not acknowledged comes again, ever more slowly, and then ends", "[mmds]") {
    Guest guest;
    GuestConnection connection(guest);
    connection.send(get_name);
    const GuestSegment first = guest.expect_segment();
    CHECK(answers_name(first.payload));
    GuestSegment again;
    CHECK_FALSE(guest.receive(again));
    guest.backend->want_frames(true);
    const unsigned told = guest.client.told;
    guest.clock.advance(499'000'000);
    CHECK(guest.client.told == told);
    guest.clock.advance(2'000'000);
    CHECK(guest.client.told == told + 1);
    REQUIRE(guest.receive(again));
    CHECK(again.payload == first.payload);
    CHECK(again.sequence == first.sequence);
    CHECK_FALSE(guest.receive(again));
    guest.backend->want_frames(true);
    guest.clock.advance(990'000'000);
    CHECK_FALSE(guest.receive(again));

    SECTION("an acknowledgement ends it") {
        GuestSegment taken = connection.make(Guest::ack);
        taken.acknowledged += static_cast<std::uint32_t>(first.payload.size());
        guest.send(taken);
        guest.clock.advance(100'000'000'000);
        CHECK_FALSE(guest.receive(again));
    }
    SECTION("a part that is acknowledged is not sent again") {
        GuestSegment taken = connection.make(Guest::ack);
        taken.acknowledged += 10;
        guest.send(taken);
        guest.clock.advance(600'000'000);
        REQUIRE(guest.receive(again));
        CHECK(again.payload == first.payload.substr(10));
    }
    SECTION("in the end the connection is reset") {
        unsigned copies = 0;
        for (unsigned second = 0; second < 200; ++second) {
            guest.clock.advance(1'000'000'000);
            while (guest.receive(again) && (again.flags & Guest::rst) == 0)
                ++copies;
        }
        CHECK(copies == 14);
        CHECK((again.flags & Guest::rst) != 0);
        CHECK(guest.metadata.counters.connections_destroyed == 1);
    }
}

TEST_CASE("answers keep to the guest's segment size and window", "[mmds]") {
    Guest guest;
    guest.metadata.values["/large"] = std::string(50000, 'L');
    const std::string get_large = "GET /large HTTP/1.0\r\n\r\n";
    SECTION("segment size") {
        GuestConnection connection(guest, 40000, 1, 500);
        const std::string answer = connection.ask(get_large);
        CHECK(answer.ends_with(std::string(50000, 'L')));
        CHECK(connection.segments == (answer.size() + 499) / 500);
        CHECK(connection.closed);
    }
    SECTION("without the option it is the default") {
        GuestConnection connection(guest, 40000, 1, 0);
        connection.send(get_large);
        CHECK(guest.expect_segment().payload.size() == 536);
    }
    SECTION("the window") {
        GuestConnection connection(guest);
        connection.window = 2000;
        connection.send(get_large);
        CHECK(guest.expect_segment().payload.size() == 1460);
        CHECK(guest.expect_segment().payload.size() == 540);
        CHECK(guest.receive_frame().empty());
    }
    SECTION("a closed window is probed, and goes on when it opens") {
        GuestConnection connection(guest);
        connection.window = 0;
        connection.send(get_large);
        GuestSegment segment;
        REQUIRE(guest.receive(segment)); // the acknowledgement alone
        CHECK(segment.payload.empty());
        CHECK_FALSE(guest.receive(segment));
        guest.clock.advance(501'000'000);
        REQUIRE(guest.receive(segment));
        CHECK(segment.payload == "H");
        connection.window = 64240;
        guest.send(connection.make(Guest::ack));
        CHECK(connection.receive().ends_with(std::string(50000, 'L')));
        CHECK(connection.closed);
    }
}

TEST_CASE("frames whose checksum or segmentation is left to the card are taken", "[mmds]") {
    Guest guest;
    GuestConnection connection(guest);
    const std::string filler = "GET /name HTTP/1.1\r\nX-Filler: " + std::string(3000, 'f');
    GuestSegment segment = connection.make(Guest::ack, filler + "\r\n\r\n");
    std::string frame = Guest::ipv4(6, Guest::tcp(segment));
    frame.replace(50, 2, "\x12\x34"); // a partial sum, not the checksum
    guest.send_frame(frame);
    CHECK(connection.receive().empty()); // it says it is whole
    guest.send_frame(frame, 1, 1);
    CHECK(answers_name(connection.receive()));

    SECTION("what does not fit into the window waits at the guest") {
        GuestConnection second(guest, 40001);
        GuestSegment large = second.make(Guest::ack, std::string(60000, 'g'));
        guest.send_frame(Guest::ipv4(6, Guest::tcp(large)), 1, 1);
        const std::string answer = second.receive();
        CHECK(answer.starts_with("HTTP/1.1 400 "));
        CHECK(second.acknowledged == large.sequence + 4096);
        CHECK(second.closed);
    }
}

TEST_CASE("two connections do not disturb one another", "[mmds]") {
    Guest guest;
    GuestConnection one(guest, 1001), two(guest, 1002);
    guest.send(one.make(Guest::ack, "GET /na"));
    guest.receive_frame();
    CHECK(answers_name(two.ask(get_name)));
    GuestSegment rest = one.make(Guest::ack, get_name.substr(7));
    rest.sequence += 7;
    guest.send(rest);
    CHECK(answers_name(one.receive()));
}
