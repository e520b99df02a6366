#include "virtio/backend/handshake/handshake_backend.h"

#include "virtio/core/descriptor_chain.h"

#include <cstring>
#include <utility>

namespace coldstart {
namespace {

constexpr std::size_t most_ip_bytes = 60, most_tcp_bytes = 60; // with all options
constexpr std::size_t most_frame_bytes = mmds::ethernet_bytes + most_ip_bytes + most_tcp_bytes;
constexpr std::size_t eth_destination = 0, ip_destination = 16;
constexpr std::uint8_t usual_hops = 64; // the guest may lead the connection on, to a container

} // namespace

HandshakeBackend::HandshakeBackend(std::unique_ptr<NetBackend> network, Clock& clock,
                                   std::function<bool()> network_has_read)
    : RelayBackend(std::move(network)), clock_(clock),
      network_has_read_(std::move(network_has_read)) {}

void HandshakeBackend::connect(NetClient& client) {
    timer_ = clock_.make_timer([this, &client] {
        if (wanted_)
            client.frames_wait();
    });
    network().connect(client);
}

void HandshakeBackend::disconnect() noexcept {
    network().disconnect();
    wanted_ = false;
    timer_.reset();
}

void HandshakeBackend::want_frames(bool wanted) noexcept {
    wanted_ = wanted;
    network().want_frames(wanted);
    if (count_ != 0)
        wake_client(0);
}

void HandshakeBackend::wake_client(std::uint64_t delay_ns) noexcept {
    if (wanted_ && timer_ != nullptr)
        timer_->arm(clock_.now_ns() + delay_ns);
}

std::size_t HandshakeBackend::receive(std::span<std::byte> frame) noexcept {
    if (count_ == 0)
        return network().receive(frame);
    if (!network_has_read_()) {
        wake_client(retry_ns);
        return network().receive(frame);
    }
    const Acknowledgement& answer = waiting_[first_];
    const mmds::Segment segment{.sequence = answer.sequence,
                                .acknowledged = answer.acknowledged,
                                .window = window,
                                .flags = mmds::TcpFlags::ack,
                                .max_segment_bytes = 0,
                                .payload = {}};
    first_ = (first_ + 1) % max_waiting;
    --count_;
    std::memset(frame.data(), 0, header_bytes);
    return header_bytes +
           mmds::write_segment(frame.subspan(header_bytes), answer.from, answer.to, segment);
}

NetBackend::Sent HandshakeBackend::send(std::span<iovec> frame) noexcept {
    // The network may change the segments.
    const std::optional<Acknowledgement> answer = answer_to(frame);
    const Sent sent = network().send(frame);
    if (sent == Sent::taken && answer)
        keep(*answer);
    return sent;
}

/// Nothing, unless the frame is a SYN-ACK.
std::optional<HandshakeBackend::Acknowledgement>
HandshakeBackend::answer_to(std::span<const iovec> frame) noexcept {
    // One byte more: frames that are larger carry data, and are passed over with little work.
    std::array<std::byte, most_frame_bytes + 1> buffer;
    const std::size_t size = copy_from_segments(frame, header_bytes, buffer);
    if (size < mmds::ethernet_bytes + mmds::ipv4_bytes || size > most_frame_bytes)
        return std::nullopt;
    const ByteView copy = ByteView(buffer).first(size);
    const ByteView ip = copy.subspan(mmds::ethernet_bytes);
    const auto peer_address = mmds::load_be<std::uint32_t>(ip, ip_destination);
    if (mmds::frame_kind(copy, peer_address) != mmds::FrameKind::ipv4)
        return std::nullopt;
    const mmds::ParsedSegment parsed = mmds::parse_segment(copy, true);
    const mmds::Segment& segment = parsed.segment;
    if (parsed.result != mmds::ParseResult::segment || !segment.has(mmds::TcpFlags::syn) ||
        !segment.has(mmds::TcpFlags::ack) || segment.has(mmds::TcpFlags::rst))
        return std::nullopt;
    Acknowledgement answer{
        .from = {.mac = {}, .address = peer_address, .port = parsed.local_port, .hops = usual_hops},
        .to = parsed.from,
        .sequence = segment.acknowledged,
        .acknowledged = segment.sequence + segment.length()};
    std::memcpy(answer.from.mac.data(), copy.data() + eth_destination, answer.from.mac.size());
    return answer;
}

void HandshakeBackend::keep(const Acknowledgement& answer) noexcept {
    if (count_ == max_waiting)
        return;
    waiting_[(first_ + count_) % max_waiting] = answer;
    ++count_;
    wake_client(0);
}

} // namespace coldstart
