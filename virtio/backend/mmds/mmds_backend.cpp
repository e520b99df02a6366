#include "virtio/backend/mmds/mmds_backend.h"

#include "virtio/core/descriptor_chain.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace coldstart {
namespace {

// struct virtio_net_hdr_v1, virtio 1.2, 5.1.6.
constexpr std::size_t header_flags = 0;
constexpr std::byte needs_checksum{1};

} // namespace

MmdsBackend::MmdsBackend(std::unique_ptr<NetBackend> network, MetadataSource& source, Clock& clock,
                         const MmdsOptions& options)
    : RelayBackend(std::move(network)), clock_(clock), service_(source, options.service),
      stack_(options.ipv4_address, service_), frame_(max_frame_bytes) {}

void MmdsBackend::connect(NetClient& client) {
    timer_ = clock_.make_timer([this, &client] {
        armed_for_ns_ = 0;
        if (wanted_)
            client.frames_wait();
    });
    network().connect(client);
}

void MmdsBackend::disconnect() noexcept {
    network().disconnect();
    wanted_ = false;
    timer_.reset();
}

void MmdsBackend::want_frames(bool wanted) noexcept {
    wanted_ = wanted;
    network().want_frames(wanted);
    if (wanted)
        schedule(clock_.now_ns());
}

std::size_t MmdsBackend::receive(std::span<std::byte> frame) noexcept {
    const std::uint64_t now_ns = clock_.now_ns();
    const std::size_t size = stack_.next_frame(frame.subspan(header_bytes), now_ns);
    if (size == 0)
        return network().receive(frame);
    std::memset(frame.data(), 0, header_bytes);
    return header_bytes + size;
}

NetBackend::Sent MmdsBackend::send(std::span<iovec> frame) noexcept {
    std::array<std::byte, mmds::frame_kind_bytes> start;
    const std::size_t seen = copy_from_segments(frame, header_bytes, start);
    if (!stack_.claims(ByteView(start).first(seen)))
        return network().send(frame);
    // The guest may change its frame meanwhile: from here on only the copy counts.
    const std::size_t size = copy_from_segments(frame, 0, frame_);
    const ByteView copy = ByteView(frame_).first(size);
    const std::uint64_t now_ns = clock_.now_ns();
    const bool has_checksum = (copy[header_flags] & needs_checksum) == std::byte{0};
    stack_.receive(copy.subspan(header_bytes), has_checksum, now_ns);
    schedule(now_ns);
    return Sent::taken;
}

/// Has frames_wait() called when the service has something to say. A deadline that went by while
/// nobody wanted frames is seen to when somebody does.
void MmdsBackend::schedule(std::uint64_t now_ns) noexcept {
    if (!wanted_ || timer_ == nullptr)
        return;
    const std::uint64_t deadline_ns = stack_.deadline_ns(now_ns);
    if (armed_for_ns_.exchange(deadline_ns) == deadline_ns)
        return;
    if (deadline_ns == 0)
        timer_->cancel();
    else
        timer_->arm(deadline_ns);
}

} // namespace coldstart
