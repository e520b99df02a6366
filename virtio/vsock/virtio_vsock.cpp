#include "virtio/vsock/virtio_vsock.h"

#include "virtio/core/config_space.h"
#include "virtio/core/queue_turn.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <utility>

namespace coldstart {

using namespace virtio_vsock;

namespace {

constexpr std::array<std::uint16_t, 3> sizes{256, 256, 64};

void check_cid(std::uint32_t cid) {
    if (cid < first_guest_cid || cid > last_guest_cid)
        throw Error(cat("vsock: ", cid, " is no CID of a guest"),
                    cat("accepted: ", first_guest_cid, " to ", last_guest_cid));
}

} // namespace

VirtioVsock::VirtioVsock(std::uint32_t guest_cid, std::shared_ptr<VsockListener> listener,
                         Reactor& reactor, Clock& clock)
    : guest_cid_(guest_cid), host_(std::move(listener), reactor, clock) {
    check_cid(guest_cid);
    host_.start(*this);
}

VirtioVsock::~VirtioVsock() {
    host_.stop();
}

std::uint64_t VirtioVsock::features() const noexcept {
    return virtio_feature::indirect_desc | virtio_feature::event_idx | feature_stream;
}

std::span<const std::uint16_t> VirtioVsock::queue_sizes() const noexcept {
    return sizes;
}

void VirtioVsock::read_config(std::uint64_t offset, std::span<std::byte> out) noexcept {
    std::array<std::byte, config::size_bytes> bytes{};
    store_le(std::span<std::byte>(bytes), config::guest_cid, std::uint64_t{guest_cid_});
    read_config_bytes(bytes, offset, out);
}

bool VirtioVsock::activate(const VirtioActivation& activation) noexcept {
    active_.emplace(activation);
    failed_ = false;
    host_.run(!paused_);
    if (reset_is_news_)
        activation.notifier.queue_again(event_queue);
    return true;
}

void VirtioVsock::deactivate() noexcept {
    host_.run(false);
    host_.close_all();
    active_.reset();
    reset_is_news_ = transmit_waits_ = false;
}

void VirtioVsock::pause() noexcept {
    paused_ = true;
    host_.run(false);
}

void VirtioVsock::resume() noexcept {
    paused_ = false;
    host_.run(working());
}

void VirtioVsock::vsock_host_stirs() noexcept {
    const std::lock_guard guard(lock());
    if (!working())
        return;
    host_.work();
    if (queue_working(receive_queue))
        receive();
}

void VirtioVsock::process_queue(unsigned index) noexcept {
    if (index == receive_queue)
        counts_.rx_kicks.add();
    else if (index == transmit_queue)
        counts_.tx_kicks.add();
    if (queue_working(index) && index == transmit_queue)
        transmit();
    if (queue_working(index) && index == event_queue)
        announce_reset();
    // What was transmitted may want an answer.
    if (queue_working(receive_queue))
        receive();
}

void VirtioVsock::fail(std::string_view reason) noexcept {
    failed_ = true;
    host_.run(false);
    host_.close_all();
    active_->notifier.needs_reset(reason);
}

bool VirtioVsock::pop(SplitQueue& queue, DescriptorChain& chain) noexcept {
    const SplitQueue::Pop pop = queue.pop(segments_, chain);
    if (pop == SplitQueue::Pop::broken)
        fail(queue.error());
    return pop == SplitQueue::Pop::chain;
}

void VirtioVsock::publish(unsigned index) noexcept {
    if (active_->queues[index].publish())
        active_->notifier.queue_used(index);
}

void VirtioVsock::receive() noexcept {
    SplitQueue& queue = active_->queues[receive_queue];
    unsigned left = queue.size();
    while (left != 0 && host_.has_packet() && buffers_there(queue) && receive_packet(queue))
        --left;
    if (failed_)
        return;
    if (left == 0 && host_.has_packet())
        active_->notifier.queue_again(receive_queue);
    publish(receive_queue);
    if (transmit_waits_ && host_.takes_packets()) {
        transmit_waits_ = false;
        active_->notifier.queue_again(transmit_queue);
    }
}

/// Otherwise the driver is asked to kick for the next one.
bool VirtioVsock::buffers_there(SplitQueue& queue) noexcept {
    if (!queue.has_available())
        return queue.enable_notifications();
    queue.disable_notifications();
    return true;
}

/// False when nothing was received after all.
bool VirtioVsock::receive_packet(SplitQueue& queue) noexcept {
    DescriptorChain chain;
    if (!pop(queue, chain))
        return false;
    if (chain.writable_bytes <= header::size_bytes) {
        fail("a receive buffer without room for a packet");
        return false;
    }
    std::copy(chain.writable.begin(), chain.writable.end(), room_.begin());
    const std::span<iovec> room =
        drop_front(std::span(room_).first(chain.writable.size()), header::size_bytes);
    VsockPacket packet;
    if (!host_.next_packet(packet, room)) {
        queue.undo_pop();
        return false;
    }
    packet.dst_cid = guest_cid_;
    counts_.rx_packets.add();
    counts_.rx_bytes.add(packet.len);
    copy_to_segments(chain.writable, 0, packet.encode());
    queue.push_used(chain.head, static_cast<std::uint32_t>(header::size_bytes) + packet.len);
    return true;
}

void VirtioVsock::transmit() noexcept {
    SplitQueue& queue = active_->queues[transmit_queue];
    const auto serve = [&](const DescriptorChain& chain) {
        if (!host_.takes_packets()) {
            transmit_waits_ = true; // for receive()
            return Served::wait;
        }
        transmit_chain(queue, chain);
        return failed_ ? Served::failed : Served::done;
    };
    take_turn(queue, transmit_queue, active_->notifier, segments_, queue.size(), serve,
              [this](std::string_view reason) { fail(reason); });
}

void VirtioVsock::transmit_chain(SplitQueue& queue, const DescriptorChain& chain) noexcept {
    VsockPacket::Bytes bytes;
    if (copy_from_segments(chain.readable, 0, bytes) != bytes.size())
        return fail("a packet shorter than its header");
    const VsockPacket packet = VsockPacket::decode(bytes);
    if (packet.len > chain.readable_bytes - bytes.size())
        return fail("a packet longer than its descriptors");
    if (packet.src_cid == guest_cid_) {
        counts_.tx_packets.add();
        counts_.tx_bytes.add(packet.len);
        const std::span<iovec> data = drop_front(chain.readable, bytes.size());
        host_.guest_packet(packet, keep_front(data, packet.len));
    } else if (complaints_.allow()) {
        log_warn(
            cat("virtio-vsock: the guest sent a packet as from CID ", packet.src_cid, "; ignored"));
    }
    queue.push_used(chain.head, 0);
}

void VirtioVsock::announce_reset() noexcept {
    SplitQueue& queue = active_->queues[event_queue];
    while (reset_is_news_ && !failed_ && buffers_there(queue)) {
        DescriptorChain chain;
        if (!pop(queue, chain))
            break;
        std::array<std::byte, event_bytes> event{};
        store_le(std::span<std::byte>(event), 0, event_transport_reset);
        if (copy_to_segments(chain.writable, 0, event) != event.size())
            return fail("an event buffer without room for an event");
        queue.push_used(chain.head, event_bytes);
        reset_is_news_ = false;
    }
    if (!failed_)
        publish(event_queue);
}

VirtioDevice::Counters VirtioVsock::counters() const {
    const VsockHost::Counts& connections = host_.counts();
    return {{"rx_queue_event_count", counts_.rx_kicks.get()},
            {"tx_queue_event_count", counts_.tx_kicks.get()},
            {"rx_bytes_count", counts_.rx_bytes.get()},
            {"tx_bytes_count", counts_.tx_bytes.get()},
            {"rx_packets_count", counts_.rx_packets.get()},
            {"tx_packets_count", counts_.tx_packets.get()},
            {"conns_added", connections.added.get()},
            {"conns_killed", connections.killed.get()},
            {"conns_removed", connections.removed.get()}};
}

void VirtioVsock::save(StateWriter& writer) const {
    writer.begin("virtio-vsock", 1);
    writer.put(guest_cid_);
}

void VirtioVsock::restore(StateReader& reader) {
    reader.begin("virtio-vsock", 1);
    std::uint32_t cid = 0;
    reader.get(cid);
    check_cid(cid);
    guest_cid_ = cid;
    host_.close_all();
    reset_is_news_ = true;
}

} // namespace coldstart
