// VirtioNet: frames from the host into the guest's buffers (virtio 1.2, 5.1.6.3 and 5.1.6.4).
#include "virtio/net/spec.h"
#include "virtio/net/virtio_net.h"

#include <algorithm>

namespace coldstart {

using namespace virtio_net;

namespace {

constexpr unsigned frames_a_turn = 64;
constexpr unsigned max_looks = 4;

/// Where the header's num_buffers is: two bytes that may lie in two segments. Changes them.
std::array<std::byte*, 2> find_num_buffers(std::span<iovec> buffer) noexcept {
    const std::span<iovec> low = drop_front(buffer, header::num_buffers);
    auto* const first = static_cast<std::byte*>(low.front().iov_base);
    const std::span<iovec> high = drop_front(low, 1);
    return {first, static_cast<std::byte*>(high.front().iov_base)};
}

} // namespace

void VirtioNet::receive() noexcept {
    SplitQueue& queue = active_->queues[receive_queue];
    bool want_more = true;
    unsigned left = frames_a_turn;
    for (; left != 0 && want_more; --left) {
        if (!buffers_there(queue)) {
            want_more = false; // the driver kicks when it has some
        } else if (waiting_bytes_ == 0 && !fetch_frame()) {
            break;
        } else if (waiting_bytes_ != 0) {
            const Delivery delivery = deliver_within_limit(queue);
            if (delivery == Delivery::broken)
                return;
            if (delivery == Delivery::done)
                waiting_bytes_ = 0;
            else
                want_more = false;
        }
    }
    // The backend may hold frames that its descriptor does not tell of any more.
    if (left == 0 && want_more)
        active_->notifier.queue_again(receive_queue);
    backend_->want_frames(want_more);
    publish(receive_queue);
}

/// Otherwise the driver is asked to kick for the next one.
bool VirtioNet::buffers_there(SplitQueue& queue) noexcept {
    if (!queue.has_available())
        return queue.enable_notifications();
    queue.disable_notifications();
    return true;
}

/// False when no frame waits; one that nobody wants leaves waiting_bytes_ at 0.
bool VirtioNet::fetch_frame() noexcept {
    const std::size_t size = std::min(backend_->receive(frame_), frame_.size());
    if (size == 0)
        return false;
    const std::span<std::byte> frame = std::span(frame_).first(size);
    if (size > header::size_bytes && filter_.wants(frame.subspan(header::size_bytes)) &&
        make_acceptable(frame))
        waiting_bytes_ = size;
    return true;
}

bool VirtioNet::gso_accepted(std::uint8_t gso_type) const noexcept {
    if (gso_type == gso_none)
        return true;
    if ((gso_type & gso_ecn) != 0 && !accepted(feature_guest_ecn))
        return false;
    switch (gso_type & ~gso_ecn) {
    case gso_tcpv4:
        return accepted(feature_guest_tso4);
    case gso_tcpv6:
        return accepted(feature_guest_tso6);
    default:
        return false;
    }
}

/// Frames that waited in the host since before the driver said what it takes may ask too much.
bool VirtioNet::make_acceptable(std::span<std::byte> frame) const noexcept {
    if (!accepted(feature_guest_csum)) {
        if ((load_le<std::uint8_t>(frame, header::flags) & needs_csum) != 0)
            return false;
        frame[header::flags] = std::byte{0}; // 5.1.6.4.1
    }
    return gso_accepted(load_le<std::uint8_t>(frame, header::gso_type));
}

VirtioNet::Delivery VirtioNet::deliver_within_limit(SplitQueue& queue) noexcept {
    if (!receive_throttle_.admit(waiting_bytes_, 1))
        return Delivery::over_limit; // the timer goes on
    const Delivery delivery = deliver(queue);
    if (delivery == Delivery::done)
        receive_throttle_.charge(waiting_bytes_, 1);
    return delivery;
}

VirtioNet::Delivery VirtioNet::deliver(SplitQueue& queue) noexcept {
    const bool mergeable = accepted(feature_mrg_rxbuf);
    const std::size_t max_chains =
        mergeable ? std::min<std::size_t>(queue.size(), used_.size()) : 1;
    ByteView rest = std::span(frame_).first(waiting_bytes_);
    std::array<std::byte*, 2> num_buffers{}; // it may lie across two segments
    std::size_t chains = 0;
    unsigned looks = 0;
    bool is_empty = false;
    while (!rest.empty() && chains < max_chains && !is_empty) {
        DescriptorChain chain;
        if (!pop(queue, chain)) {
            if (failed_)
                return Delivery::broken;
            // To be told of the next buffer, ask while the first ones are not undone.
            // A driver that keeps changing its mind is believed a few times.
            is_empty = !queue.enable_notifications() || ++looks > max_looks;
            continue;
        }
        if (chain.writable_bytes < (chains == 0 ? header::size_bytes : 1)) {
            fail("a receive buffer without room");
            return Delivery::broken;
        }
        const std::size_t copied = copy_to_segments(chain.writable, 0, rest);
        used_[chains] = {chain.head, static_cast<std::uint32_t>(copied)};
        rest = rest.subspan(copied);
        if (chains == 0)
            num_buffers = find_num_buffers(chain.writable);
        ++chains;
    }
    if (!rest.empty()) {
        // What was copied lies in buffers that the driver does not look at yet.
        for (; chains != 0; --chains)
            queue.undo_pop();
        // With the most chains there can be it does not fit either: dropped.
        (is_empty ? counts_.rx_no_buffers : counts_.rx_dropped).add();
        return is_empty ? Delivery::no_buffers : Delivery::done;
    }
    *num_buffers[0] = static_cast<std::byte>(chains & 0xff);
    *num_buffers[1] = static_cast<std::byte>(chains >> 8);
    for (std::size_t i = 0; i < chains; ++i)
        queue.push_used(static_cast<std::uint16_t>(used_[i].id), used_[i].length);
    counts_.rx_frames.add();
    counts_.rx_bytes.add(waiting_bytes_);
    return Delivery::done;
}

} // namespace coldstart
