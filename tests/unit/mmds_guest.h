// A guest's network stack as far as the metadata service's tests need one: it makes frames by
// itself, so that what the service reads and writes is checked against something else.
#pragma once

#include "tests/fakes/fake_net.h"
#include "tests/fakes/fakes.h"
#include "virtio/backend/mmds/mmds_backend.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace coldstart::fakes {

/// A few fixed paths.
class FakeMetadata final : public MetadataSource {
  public:
    MetadataAnswer lookup(std::string_view path, bool wants_json) const override {
        const auto found = values.find(std::string(path));
        if (found == values.end())
            return {};
        if (found->second == "unsupported" && !wants_json)
            return {MetadataStatus::not_supported, {}, false};
        return {MetadataStatus::found, wants_json ? '"' + found->second + '"' : found->second,
                wants_json};
    }

    std::map<std::string, std::string> values = {
        {"/", "latest/"}, {"/name", "guest one"}, {"/list", "unsupported"}};
};

struct GuestSegment {
    std::uint16_t from_port = 40000, to_port = 80;
    std::uint32_t sequence = 0, acknowledged = 0;
    std::uint8_t flags = 0x10;
    std::uint16_t window = 64240;
    std::string options = {};
    std::string payload = {};
};

class MmdsGuest {
  public:
    static constexpr std::uint8_t fin = 1, syn = 2, rst = 4, psh = 8, ack = 16;
    static constexpr std::uint32_t address = 0xac100002, service = 0xa9fea9fe;

    explicit MmdsGuest(MmdsOptions options = {})
        : backend(std::make_unique<MmdsBackend>(std::make_unique<FakeNetBackend>(net), metadata,
                                                clock, options)) {
        client.guest = this;
        backend->connect(client);
        backend->want_frames(true);
    }
    ~MmdsGuest() { backend->disconnect(); }

    static std::string number(std::uint64_t value, unsigned bytes) {
        std::string text;
        for (unsigned i = bytes; i-- > 0;)
            text += static_cast<char>(value >> (8 * i));
        return text;
    }
    static std::uint64_t number_at(const std::string& text, std::size_t at, unsigned bytes) {
        std::uint64_t value = 0;
        for (unsigned i = 0; i < bytes; ++i)
            value = value << 8 | static_cast<unsigned char>(text.at(at + i));
        return value;
    }
    static std::uint16_t checksum(const std::string& text) {
        std::uint32_t sum = 0;
        for (std::size_t i = 0; i < text.size(); i += 2)
            sum += static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])) << 8 |
                   (i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0u);
        while (sum >> 16 != 0)
            sum = (sum & 0xffff) + (sum >> 16);
        return static_cast<std::uint16_t>(~sum);
    }
    static std::string pseudo_header(std::uint32_t from, std::uint32_t to, std::size_t length) {
        return number(from, 4) + number(to, 4) + number(6, 2) + number(length, 2);
    }

    static std::string ipv4(std::uint8_t protocol, const std::string& body,
                            std::uint32_t to = service, std::uint16_t fragment = 0) {
        std::string header = number(0x4500, 2) + number(20 + body.size(), 2) + number(7, 2) +
                             number(fragment, 2) + number(64, 1) + number(protocol, 1) +
                             number(0, 2) + number(address, 4) + number(to, 4);
        header.replace(10, 2, number(checksum(header), 2));
        return ethernet(0x0800, header + body);
    }
    static std::string ethernet(std::uint16_t type, const std::string& body) {
        return std::string("\x06\x01\x23\x45\x67\x01\x02\x00\x00\x00\x00\x05", 12) +
               number(type, 2) + body;
    }
    static std::string tcp(const GuestSegment& segment, std::uint32_t to = service) {
        std::string options = segment.options;
        options.resize((options.size() + 3) / 4 * 4);
        std::string bytes = number(segment.from_port, 2) + number(segment.to_port, 2) +
                            number(segment.sequence, 4) + number(segment.acknowledged, 4) +
                            number((20 + options.size()) / 4 << 4, 1) + number(segment.flags, 1) +
                            number(segment.window, 2) + number(0, 4) + options + segment.payload;
        bytes.replace(16, 2, number(checksum(pseudo_header(address, to, bytes.size()) + bytes), 2));
        return bytes;
    }
    static std::string arp_request(std::uint32_t target) {
        return ethernet(0x0806, number(0x0001080006040001, 8) +
                                    std::string("\x02\x00\x00\x00\x00\x05", 6) +
                                    number(address, 4) + std::string(6, '\0') + number(target, 4));
    }

    /// Cuts the frame into two pieces, as descriptors do.
    NetBackend::Sent send_frame(const std::string& frame, std::uint8_t flags = 0,
                                std::uint8_t gso = 0) {
        std::string bytes = number(flags, 1) + number(gso, 1) + std::string(10, '\0') + frame;
        const std::size_t cut = bytes.size() / 3;
        std::array<iovec, 2> parts{iovec{bytes.data(), cut},
                                   iovec{bytes.data() + cut, bytes.size() - cut}};
        return backend->send(parts);
    }
    void send(const GuestSegment& segment) { send_frame(ipv4(6, tcp(segment))); }

    /// A frame that came, without its virtio header; empty when there was none.
    std::string receive_frame() {
        std::string frame(NetBackend::max_frame_bytes, '?');
        frame.resize(backend->receive(std::as_writable_bytes(std::span(frame))));
        if (frame.empty())
            return frame;
        REQUIRE(frame.size() > 12);
        CHECK(frame.substr(0, 12) == std::string(12, '\0'));
        return frame.substr(12);
    }
    /// The next segment, its checksums and addresses looked at; false when there was none.
    bool receive(GuestSegment& segment) {
        const std::string frame = receive_frame();
        if (frame.empty())
            return false;
        REQUIRE(frame.size() >= 14 + 40);
        CHECK(frame.substr(0, 12) ==
              std::string("\x02\x00\x00\x00\x00\x05\x06\x01\x23\x45\x67\x01", 12));
        CHECK(number_at(frame, 12, 2) == 0x0800);
        const std::string ip = frame.substr(14, 20), bytes = frame.substr(34);
        CHECK(checksum(ip) == 0);
        CHECK(number_at(ip, 2, 2) == frame.size() - 14);
        CHECK(number_at(ip, 8, 2) == 0x0106);
        CHECK(number_at(ip, 12, 4) == service);
        CHECK(number_at(ip, 16, 4) == address);
        CHECK(checksum(pseudo_header(service, address, bytes.size()) + bytes) == 0);
        const std::size_t header = number_at(bytes, 12, 1) / 16 * 4;
        segment.from_port = static_cast<std::uint16_t>(number_at(bytes, 0, 2));
        segment.to_port = static_cast<std::uint16_t>(number_at(bytes, 2, 2));
        segment.sequence = static_cast<std::uint32_t>(number_at(bytes, 4, 4));
        segment.acknowledged = static_cast<std::uint32_t>(number_at(bytes, 8, 4));
        segment.flags = static_cast<std::uint8_t>(number_at(bytes, 13, 1));
        segment.window = static_cast<std::uint16_t>(number_at(bytes, 14, 2));
        segment.options = bytes.substr(20, header - 20);
        segment.payload = bytes.substr(header);
        return true;
    }
    GuestSegment expect_segment() {
        GuestSegment segment;
        REQUIRE(receive(segment));
        return segment;
    }

    struct Client final : NetClient {
        void frames_wait() noexcept override {
            ++told;
            guest->backend->want_frames(false);
        }
        void room_again() noexcept override {}
        MmdsGuest* guest = nullptr;
        unsigned told = 0;
    } client;
    FakeClock clock;
    FakeNet net;
    FakeMetadata metadata;
    std::unique_ptr<MmdsBackend> backend;
};

/// A connection as a guest sees it.
class GuestConnection {
  public:
    explicit GuestConnection(MmdsGuest& guest, std::uint16_t port = 40000,
                             std::uint32_t first = 0xfffffff0, std::uint16_t mss = 1460)
        : guest_(guest), port_(port), next_(first) {
        GuestSegment call = make(MmdsGuest::syn);
        call.acknowledged = 0;
        call.options = "\x02\x04" + MmdsGuest::number(mss, 2);
        guest_.send(call);
        const GuestSegment answer = guest_.expect_segment();
        CHECK(answer.flags == (MmdsGuest::syn | MmdsGuest::ack));
        CHECK(answer.to_port == port);
        CHECK(answer.acknowledged == first + 1);
        CHECK(answer.options == std::string("\x02\x04\x05\xb4", 4));
        next_ = first + 1;
        expected_ = answer.sequence + 1;
        guest_.send(make(MmdsGuest::ack));
    }

    GuestSegment make(std::uint8_t flags, std::string payload = {}) const {
        GuestSegment segment;
        segment.from_port = port_;
        segment.sequence = next_;
        segment.acknowledged = expected_;
        segment.flags = flags;
        segment.window = window;
        segment.payload = std::move(payload);
        return segment;
    }
    void send(const std::string& payload, std::uint8_t flags = MmdsGuest::ack | MmdsGuest::psh) {
        guest_.send(make(flags, payload));
        next_ += static_cast<std::uint32_t>(payload.size()) +
                 ((flags & (MmdsGuest::fin | MmdsGuest::syn)) != 0 ? 1 : 0);
    }
    /// Takes and acknowledges what comes; how often a segment came is in `segments`.
    std::string receive() {
        std::string got;
        GuestSegment segment;
        while (guest_.receive(segment)) {
            CHECK(segment.to_port == port_);
            if ((segment.flags & MmdsGuest::rst) != 0) {
                reset = true;
                return got;
            }
            acknowledged = segment.acknowledged;
            if (segment.sequence != expected_ || segment.payload.size() > window)
                continue;
            ++segments;
            got += segment.payload;
            expected_ += static_cast<std::uint32_t>(segment.payload.size());
            if ((segment.flags & MmdsGuest::fin) != 0) {
                closed = true;
                ++expected_;
            }
            if (!segment.payload.empty() || (segment.flags & MmdsGuest::fin) != 0)
                guest_.send(make(MmdsGuest::ack));
        }
        return got;
    }
    std::string ask(const std::string& request) {
        send(request);
        return receive();
    }
    std::uint32_t next() const { return next_; }
    std::uint32_t expected() const { return expected_; }

    std::uint16_t window = 64240;
    bool closed = false, reset = false;
    unsigned segments = 0;
    std::uint32_t acknowledged = 0;

  private:
    MmdsGuest& guest_;
    std::uint16_t port_;
    std::uint32_t next_, expected_ = 0;
};

} // namespace coldstart::fakes
