// A guest that sends the metadata service anything: segments of several connections in any order,
// damaged, cut and far out of their windows, with pieces of HTTP in them. Besides crashes, hangs
// and what the sanitizers see it looks at every frame that comes back.
//
//     mmds_fuzz [iterations [seed]]
#include "api/json/metadata_store.h"
#include "tests/fakes/fake_net.h"
#include "tests/fakes/fakes.h"
#include "virtio/backend/mmds/mmds_backend.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <random>
#include <string>
#include <vector>

using namespace coldstart;
using namespace coldstart::fakes;
using mmds::TcpFlags;

namespace {

constexpr std::uint32_t service_address = 0xa9fea9fe, guest_address = 0xac100002;
constexpr mmds::Mac guest_mac{std::byte{2}, std::byte{0}, std::byte{0},
                              std::byte{0}, std::byte{0}, std::byte{5}};

const std::vector<std::string> pieces = {
    "GET /latest/meta-data HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "GET /large HTTP/1.1\r\nAccept: application/json\r\n\r\n",
    "PUT /latest/api/token HTTP/1.1\r\nX-metadata-token-ttl-seconds: 60\r\n\r\n",
    "GET /latest/list/1 HTTP/1.1\r\nX-metadata-token: ",
    "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcde",
    "HEAD / HTTP/1.1\r\n",
    "X-Forwarded-For: 1\r\n",
    ": \r\n",
    "\r\n",
    "\n\n",
    " ",
    "GET ",
    std::string(5000, 'x'),
    std::string("\0\r\n\xff\r\n\r\n", 8),
};

class Fuzzer final : private NetClient {
  public:
    explicit Fuzzer(std::uint64_t seed)
        : random_(seed), backend_(std::make_unique<FakeNetBackend>(net_), store_, clock_,
                                  MmdsOptions{.ipv4_address = service_address,
                                              .service = {.needs_token = seed % 2 == 0}}) {
        store_.put(R"({"latest":{"meta-data":{"a":"b"},"list":["x","y"]},"large":")" +
                   std::string(40000, 'L') + "\"}");
        backend_.connect(*this);
        backend_.want_frames(true);
    }
    ~Fuzzer() override { backend_.disconnect(); }

    /// Requests for data: how deep the guest came.
    std::uint64_t requests() const noexcept {
        return store_.counters.rx_no_token + store_.counters.rx_invalid_token;
    }

    void run(unsigned steps) {
        for (unsigned step = 0; step < steps; ++step) {
            switch (below(16)) {
            case 0:
                clock_.advance(below(3) == 0 ? below(20'000'000'000) : below(600'000'000));
                break;
            case 1:
                backend_.want_frames(below(4) != 0);
                break;
            case 2:
                arp();
                break;
            case 3:
            case 4:
            case 5:
                drain(below(40));
                break;
            default:
                segment();
                break;
            }
        }
        clock_.advance(1'000'000'000'000);
        drain(100000);
        // What is never acknowledged ends: nothing may be left to send for ever.
        for (int i = 0; i < 400; ++i) {
            clock_.advance(10'000'000'000);
            drain(100000);
        }
        if (drain(1) != 0)
            throw Error("frames without end");
        const MetadataCounters& counters = store_.counters;
        if (counters.connections_created < counters.connections_destroyed ||
            counters.connections_created - counters.connections_destroyed >
                mmds::Stack::max_connections)
            throw Error("connections were counted wrong");
    }

  private:
    struct Side {
        std::uint32_t next = 0, expected = 0;
    };

    void frames_wait() noexcept override { drain(64); }
    void room_again() noexcept override {}

    std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

    std::uint32_t near(std::uint32_t value) {
        switch (below(24)) {
        case 0:
            return static_cast<std::uint32_t>(random_());
        case 1:
            return value - static_cast<std::uint32_t>(below(70000));
        case 2:
            return value + static_cast<std::uint32_t>(below(70000));
        case 3:
            return value - 1;
        default:
            return value;
        }
    }

    void arp() {
        std::vector<std::byte> frame(mmds::ethernet_bytes + mmds::arp_bytes);
        mmds::write_arp_reply(frame, guest_mac, guest_address,
                              {mmds::Stack::own_mac, service_address, 0});
        frame[21] = std::byte{1}; // an answer made a question
        send(frame);
    }

    void segment() {
        const auto port = static_cast<std::uint16_t>(1000 + below(below(8) == 0 ? 60 : 3));
        Side& side = sides_[port];
        static constexpr std::array<std::uint8_t, 6> others = {TcpFlags::ack | TcpFlags::fin,
                                                               TcpFlags::syn,
                                                               TcpFlags::rst,
                                                               0,
                                                               TcpFlags::syn | TcpFlags::ack,
                                                               TcpFlags::ack | TcpFlags::fin |
                                                                   TcpFlags::rst};
        mmds::Segment segment;
        segment.flags = side.expected == 0 ? TcpFlags::syn : TcpFlags::ack;
        if (below(20) == 0)
            segment.flags = others[below(others.size())];
        if (below(50) == 0)
            segment.flags = static_cast<std::uint8_t>(random_());
        segment.sequence = near(side.next);
        segment.acknowledged = near(side.expected);
        segment.window = static_cast<std::uint16_t>(below(4) == 0 ? below(100) : random_());
        if (below(2) == 0)
            segment.max_segment_bytes =
                static_cast<std::uint16_t>(below(3) == 0 ? below(100) : random_());
        const std::string& piece = pieces[below(below(2) == 0 ? 5 : pieces.size())];
        const std::string data = below(3) != 0 ? piece : piece.substr(0, below(piece.size()));
        segment.payload = std::as_bytes(std::span(data));

        std::vector<std::byte> frame(70000);
        frame.resize(mmds::write_segment(frame, {guest_mac, guest_address, port},
                                         {mmds::Stack::own_mac, service_address,
                                          static_cast<std::uint16_t>(below(20) == 0 ? 81 : 80)},
                                         segment));
        if (below(10) == 0)
            damage(frame);
        else if (segment.sequence == side.next)
            side.next += segment.length();
        send(frame);
        if (below(2) == 0)
            drain(below(10)); // what comes back tells where the connection is
    }

    void damage(std::vector<std::byte>& frame) {
        for (std::uint64_t i = 1 + below(3); i != 0; --i)
            frame[12 + below(std::min<std::size_t>(frame.size() - 12, 60))] ^=
                static_cast<std::byte>(1u << below(8));
        if (below(3) == 0)
            frame.resize(1 + below(frame.size()));
        if (below(2) != 0 || frame.size() < mmds::ethernet_bytes + mmds::ipv4_bytes)
            return;
        // So that what is behind the IPv4 checksum is reached.
        const std::size_t header = std::min<std::size_t>(
            (std::to_integer<std::size_t>(frame[14]) & 15) * 4, frame.size() - 14);
        const std::span<std::byte> ip = std::span(frame).subspan(14, header);
        if (ip.size() < mmds::ipv4_bytes)
            return;
        mmds::store_be(ip, 10, std::uint16_t{0});
        std::uint32_t sum = 0;
        for (std::size_t i = 0; i + 1 < ip.size(); i += 2)
            sum += mmds::load_be<std::uint16_t>(ip, i);
        sum = (sum & 0xffff) + (sum >> 16);
        sum = (sum & 0xffff) + (sum >> 16);
        mmds::store_be(ip, 10, static_cast<std::uint16_t>(~sum & 0xffff));
    }

    void send(const std::vector<std::byte>& frame) {
        std::vector<std::byte> bytes(NetBackend::header_bytes);
        bytes[0] = static_cast<std::byte>(below(3) != 0 ? 1 : random_() & 0xff);
        bytes[1] = static_cast<std::byte>(below(4));
        bytes.insert(bytes.end(), frame.begin(), frame.end());
        const std::size_t cut = below(bytes.size() + 1);
        std::array<iovec, 2> parts{iovec{bytes.data(), cut},
                                   iovec{bytes.data() + cut, bytes.size() - cut}};
        if (backend_.send(parts) != NetBackend::Sent::taken)
            throw Error("a frame was not taken");
        net_.take_sent();
    }

    std::size_t drain(std::uint64_t limit) {
        std::size_t count = 0;
        for (; count < limit; ++count) {
            const std::size_t size = backend_.receive(received_);
            if (size == 0)
                break;
            look_at(std::span(received_).first(size));
        }
        return count;
    }

    void look_at(ByteView bytes) {
        const ByteView frame = bytes.subspan(NetBackend::header_bytes);
        if (frame.size() > 1514)
            throw Error("a frame is too large");
        if (mmds::load_be<std::uint16_t>(frame, 12) == 0x0806)
            return;
        // The guest may have changed its own address; ours is the source in any case.
        const auto to = mmds::load_be<std::uint32_t>(frame, 30);
        if (mmds::frame_kind(frame, to) != mmds::FrameKind::ipv4)
            throw Error("a frame is no IPv4 packet");
        const mmds::ParsedSegment parsed = mmds::parse_segment(frame, true);
        if (parsed.result != mmds::ParseResult::segment || parsed.from.address != service_address)
            throw Error("a frame has a wrong checksum or length");
        Side& side = sides_[parsed.local_port];
        side.expected = parsed.segment.has(TcpFlags::rst)
                            ? 0
                            : parsed.segment.sequence + parsed.segment.length();
        if (parsed.segment.has(TcpFlags::ack))
            side.next = parsed.segment.acknowledged;
    }

    std::mt19937_64 random_;
    FakeClock clock_;
    FakeNet net_;
    MetadataStore store_;
    MmdsBackend backend_;
    std::map<std::uint16_t, Side> sides_;
    std::vector<std::byte> received_ = std::vector<std::byte>(NetBackend::max_frame_bytes);
};

} // namespace

int main(int argc, char** argv) {
    const auto iterations = argc > 1 ? parse_decimal(argv[1]) : 60;
    const auto seed = argc > 2 ? parse_decimal(argv[2]) : 1;
    if (!iterations || !seed) {
        std::fprintf(stderr, "usage: mmds_fuzz [iterations [seed]]\n");
        return 2;
    }
    std::uint64_t requests = 0;
    for (std::uint64_t i = 0; i < *iterations; ++i) {
        try {
            Fuzzer fuzzer(*seed + i);
            fuzzer.run(2000);
            requests += fuzzer.requests();
        } catch (const std::exception& error) {
            std::fprintf(stderr, "mmds_fuzz: seed %llu: %s\n",
                         static_cast<unsigned long long>(*seed + i), error.what());
            return 1;
        }
    }
    std::printf("mmds_fuzz: %llu rounds from seed %llu, %llu requests\n",
                static_cast<unsigned long long>(*iterations),
                static_cast<unsigned long long>(*seed), static_cast<unsigned long long>(requests));
    return requests < *iterations ? 1 : 0; // the guest does not come far any more
}
