// The last segment of a TCP handshake, which passt keeps back, as a guest sees it.
#include "tests/unit/mmds_guest.h"
#include "virtio/backend/handshake/handshake_backend.h"

using namespace coldstart;
using namespace coldstart::fakes;

namespace {

using Frames = MmdsGuest; // makes frames
constexpr std::uint32_t client_address = 0xc0000201;

class Server final : private NetClient {
  public:
    Server()
        : backend(std::make_unique<FakeNetBackend>(net), clock,
                  [this] { return network_has_read; }) {
        backend.connect(*this);
        backend.want_frames(true);
    }
    ~Server() override { backend.disconnect(); }

    NetBackend::Sent send(const std::string& frame) {
        std::string bytes = std::string(12, '\0') + frame;
        std::array<iovec, 2> parts{iovec{bytes.data(), 20},
                                   iovec{bytes.data() + 20, bytes.size() - 20}};
        return backend.send(parts);
    }
    NetBackend::Sent answer_call(std::uint8_t flags = Frames::syn | Frames::ack,
                                 const std::string& payload = {}) {
        return send(Frames::ipv4(6,
                                 Frames::tcp({.from_port = 22,
                                              .to_port = 40001,
                                              .sequence = 0xffffffff,
                                              .acknowledged = 5000,
                                              .flags = flags,
                                              .options = "\x02\x04" + Frames::number(1460, 2),
                                              .payload = payload},
                                             client_address),
                                 client_address));
    }
    std::string receive() {
        std::string frame(NetBackend::max_frame_bytes, '?');
        frame.resize(backend.receive(std::as_writable_bytes(std::span(frame))));
        return frame;
    }

    FakeClock clock;
    FakeNet net;
    HandshakeBackend backend;
    unsigned told = 0;
    bool network_has_read = true;

  private:
    void frames_wait() noexcept override { ++told; }
    void room_again() noexcept override {}
};

} // namespace

TEST_CASE("a guest that answers a call gets the acknowledgement of its answer", "[net]") {
    Server server;
    CHECK(server.answer_call() == NetBackend::Sent::taken);
    CHECK(server.net.take_sent().size() == 1); // the network has the answer, too
    CHECK(server.told == 0);
    server.clock.advance(0);
    CHECK(server.told == 1);

    server.net.arrive("from the network");
    const std::string frame = server.receive();
    REQUIRE(frame.size() == 12 + 14 + 40);
    CHECK(frame.substr(0, 12) == std::string(12, '\0'));
    CHECK(frame.substr(12, 12) ==
          std::string("\x02\x00\x00\x00\x00\x05\x06\x01\x23\x45\x67\x01", 12));
    CHECK(Frames::number_at(frame, 24, 2) == 0x0800);
    const std::string ip = frame.substr(26, 20), tcp = frame.substr(46);
    CHECK(Frames::checksum(ip) == 0);
    CHECK(Frames::number_at(ip, 8, 2) == 0x4006);
    CHECK(Frames::number_at(ip, 12, 4) == client_address);
    CHECK(Frames::number_at(ip, 16, 4) == Frames::address);
    CHECK(Frames::checksum(Frames::pseudo_header(client_address, Frames::address, 20) + tcp) == 0);
    CHECK(Frames::number_at(tcp, 0, 2) == 40001);
    CHECK(Frames::number_at(tcp, 2, 2) == 22);
    CHECK(Frames::number_at(tcp, 4, 4) == 5000);
    CHECK(Frames::number_at(tcp, 8, 4) == 0); // one more than the guest's, round the end
    CHECK(Frames::number_at(tcp, 12, 2) == 0x5010);
    CHECK(Frames::number_at(tcp, 14, 2) == HandshakeBackend::window);
    CHECK(server.receive() == "from the network");
    CHECK(server.receive().empty());
}

TEST_CASE("other frames than answers to calls pass alone", "[net]") {
    Server server;
    for (const int flags : {0x02, 0x10, 0x18, 0x16}) // SYN, ACK, ACK with PSH, SYN-ACK with RST
        server.answer_call(static_cast<std::uint8_t>(flags));
    server.answer_call(Frames::syn | Frames::ack, std::string(100, 'd'));
    server.send(Frames::arp_request(client_address));
    server.send(Frames::ethernet(0x86dd, std::string(60, '6')));
    server.send(Frames::ethernet(0x0800, "short"));
    server.send(Frames::ipv4(17, std::string(20, '\x12'), client_address));
    std::string damaged = Frames::ipv4(6, Frames::tcp({.flags = Frames::syn | Frames::ack}));
    damaged[40] ^= 1;
    server.send(damaged);
    CHECK(server.net.take_sent().size() == 10);
    server.clock.advance(0);
    CHECK(server.told == 0);
    CHECK(server.receive().empty());
}

TEST_CASE("an answer the network has no room for is acknowledged when it is sent", "[net]") {
    Server server;
    server.net.set_room(0);
    CHECK(server.answer_call() == NetBackend::Sent::full);
    CHECK(server.receive().empty());
    server.net.set_room(1);
    CHECK(server.answer_call() == NetBackend::Sent::taken);
    CHECK(server.receive().size() == 66);
}

TEST_CASE("acknowledgements wait until the guest wants frames, as many as are kept", "[net]") {
    Server server;
    server.backend.want_frames(false);
    for (std::size_t i = 0; i < HandshakeBackend::max_waiting + 5; ++i)
        server.answer_call();
    server.clock.advance(1);
    CHECK(server.told == 0);
    server.backend.want_frames(true);
    server.clock.advance(1);
    CHECK(server.told == 1);
    std::size_t got = 0;
    while (!server.receive().empty())
        ++got;
    CHECK(got == HandshakeBackend::max_waiting);
}

TEST_CASE("an acknowledgement waits until the network has read the answer", "[net]") {
    Server server;
    server.network_has_read = false;
    server.answer_call();
    server.clock.advance(0);
    CHECK(server.told == 1);
    server.net.arrive("meanwhile");
    CHECK(server.receive() == "meanwhile");
    CHECK(server.receive().empty());
    server.clock.advance(HandshakeBackend::retry_ns - 1);
    const unsigned told = server.told;
    server.clock.advance(1);
    CHECK(server.told == told + 1);
    server.network_has_read = true;
    CHECK(server.receive().size() == 66);
}
