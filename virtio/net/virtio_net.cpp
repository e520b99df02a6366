#include "virtio/net/virtio_net.h"

#include "virtio/core/config_space.h"
#include "virtio/net/spec.h"

#include <algorithm>
#include <cstring>

namespace coldstart {

using namespace virtio_net;

namespace {

constexpr std::array<std::uint16_t, 3> sizes{256, 256, 64};
constexpr std::size_t ethernet_header_bytes = 14;
constexpr std::size_t max_command_bytes = 8192;

static_assert(header::size_bytes == NetBackend::header_bytes);

} // namespace

VirtioNet::VirtioNet(std::unique_ptr<NetBackend> backend, const VirtioNetOptions& options)
    : backend_(std::move(backend)), options_(options), frame_(NetBackend::max_frame_bytes),
      used_(sizes[receive_queue]),
      receive_throttle_(options.clock, options.receive_limit,
                        [this] { limit_passed(receive_throttle_, receive_queue); }),
      transmit_throttle_(options.clock, options.transmit_limit,
                         [this] { limit_passed(transmit_throttle_, transmit_queue); }) {
    power_on();
    backend_->connect(*this);
}

VirtioNet::~VirtioNet() {
    backend_->disconnect();
}

void VirtioNet::power_on() noexcept {
    filter_ = ReceiveFilter{};
    filter_.set_own_address(options_.mac);
    waiting_bytes_ = 0;
}

std::uint64_t VirtioNet::features() const noexcept {
    std::uint64_t bits = virtio_feature::indirect_desc | virtio_feature::event_idx | feature_mac |
                         feature_mrg_rxbuf | feature_status | feature_ctrl_vq | feature_ctrl_rx |
                         feature_ctrl_rx_extra | feature_ctrl_mac_addr;
    if (options_.mtu != 0)
        bits |= feature_mtu;
    const NetOffloads offloads = backend_->offloads();
    if (offloads.checksum)
        bits |= feature_csum | feature_guest_csum;
    if (offloads.tso4)
        bits |= feature_host_tso4 | feature_guest_tso4;
    if (offloads.tso6)
        bits |= feature_host_tso6 | feature_guest_tso6;
    if (offloads.ecn)
        bits |= feature_host_ecn | feature_guest_ecn;
    return bits;
}

std::span<const std::uint16_t> VirtioNet::queue_sizes() const noexcept {
    return sizes;
}

void VirtioNet::read_config(std::uint64_t offset, std::span<std::byte> out) noexcept {
    std::array<std::byte, config::size_bytes> bytes{};
    const MacAddress mac = filter_.own_address();
    std::memcpy(bytes.data() + config::mac, mac.bytes.data(), mac.bytes.size());
    store_le(std::span<std::byte>(bytes), config::status,
             link_up_ ? status_link_up : std::uint16_t{0});
    store_le(std::span<std::byte>(bytes), config::pairs, std::uint16_t{1});
    store_le(std::span<std::byte>(bytes), config::mtu, options_.mtu);
    read_config_bytes(bytes, offset, out);
}

bool VirtioNet::activate(const VirtioActivation& activation) noexcept {
    active_.emplace(activation);
    failed_ = false;
    backend_->set_guest_offloads({.checksum = accepted(feature_guest_csum),
                                  .tso4 = accepted(feature_guest_tso4),
                                  .tso6 = accepted(feature_guest_tso6),
                                  .ecn = accepted(feature_guest_ecn)});
    // With no kick to wait for: a driver may have filled the queue before.
    activation.notifier.queue_again(receive_queue);
    return true;
}

void VirtioNet::deactivate() noexcept {
    // Only one queue may be going; the transmit queue's kick is used up, so it is given again.
    if (transmit_throttle_.is_holding())
        active_->notifier.queue_again(transmit_queue);
    receive_throttle_.stop();
    transmit_throttle_.stop();
    backend_->want_frames(false);
    backend_->set_guest_offloads({});
    active_.reset();
    power_on();
}

void VirtioNet::pause() noexcept {
    paused_ = true;
    backend_->want_frames(false);
}

void VirtioNet::process_queue(unsigned index) noexcept {
    if (!queue_working(index))
        return;
    if (index == receive_queue) {
        counts_.rx_kicks.add();
        receive();
    } else if (index == transmit_queue) {
        counts_.tx_kicks.add();
        transmit();
    } else {
        control();
    }
    check_link();
}

void VirtioNet::frames_wait() noexcept {
    const std::lock_guard guard(lock());
    if (queue_working(receive_queue))
        receive();
    else
        backend_->want_frames(false);
    check_link();
}

void VirtioNet::room_again() noexcept {
    const std::lock_guard guard(lock());
    backend_->flush();
    if (queue_working(transmit_queue))
        transmit();
    check_link();
}

void VirtioNet::limit_passed(Throttle& throttle, unsigned index) noexcept {
    const std::lock_guard guard(lock());
    throttle.expired();
    (index == receive_queue ? counts_.rx_limit_events : counts_.tx_limit_events).add();
    process_queue(index);
}

void VirtioNet::set_rate_limit(const RateLimitUpdate& receive, const RateLimitUpdate& transmit) {
    receive_throttle_.prepare(receive);
    transmit_throttle_.prepare(transmit);
    const std::lock_guard guard(lock());
    receive_throttle_.update(receive);
    transmit_throttle_.update(transmit);
}

RateLimitOptions VirtioNet::receive_limit() {
    const std::lock_guard guard(lock());
    return receive_throttle_.limit();
}

RateLimitOptions VirtioNet::transmit_limit() {
    const std::lock_guard guard(lock());
    return transmit_throttle_.limit();
}

void VirtioNet::check_link() noexcept {
    const bool up = backend_->link_up();
    if (up == link_up_)
        return;
    link_up_ = up;
    if (active_)
        active_->notifier.config_changed();
}

void VirtioNet::fail(std::string_view reason) noexcept {
    failed_ = true;
    backend_->want_frames(false);
    active_->notifier.needs_reset(reason);
}

bool VirtioNet::pop(SplitQueue& queue, DescriptorChain& chain) noexcept {
    const SplitQueue::Pop pop = queue.pop(segments_, chain);
    if (pop == SplitQueue::Pop::broken)
        fail(queue.error());
    return pop == SplitQueue::Pop::chain;
}

void VirtioNet::publish(unsigned index) noexcept {
    if (active_->queues[index].publish())
        active_->notifier.queue_used(index);
}

void VirtioNet::transmit() noexcept {
    SplitQueue& queue = active_->queues[transmit_queue];
    take_turn(
        queue, transmit_queue, active_->notifier, segments_, queue.size(),
        [&](const DescriptorChain& chain) { return transmit_chain(queue, chain); },
        [this](std::string_view reason) { fail(reason); });
}

/// It waits when it is over the limit or the host is full: for the timer or room_again().
Served VirtioNet::transmit_chain(SplitQueue& queue, const DescriptorChain& chain) noexcept {
    if (chain.readable_bytes < header::size_bytes) {
        counts_.tx_malformed.add();
        fail("a frame shorter than its header");
        return Served::failed;
    }
    const bool sendable = chain.readable_bytes >= header::size_bytes + ethernet_header_bytes &&
                          chain.readable_bytes <= NetBackend::max_frame_bytes;
    if (sendable && !send(chain))
        return Served::wait;
    if (!sendable)
        counts_.tx_malformed.add();
    queue.push_used(chain.head, 0);
    return Served::done;
}

bool VirtioNet::send(const DescriptorChain& frame) noexcept {
    if (!transmit_throttle_.admit(frame.readable_bytes, 1) ||
        backend_->send(frame.readable) == NetBackend::Sent::full)
        return false;
    transmit_throttle_.charge(frame.readable_bytes, 1);
    counts_.tx_frames.add();
    counts_.tx_bytes.add(frame.readable_bytes);
    return true;
}

void VirtioNet::control() noexcept {
    SplitQueue& queue = active_->queues[control_queue];
    const auto serve = [&](const DescriptorChain& chain) {
        if (chain.writable.empty()) {
            fail("a control command without room for the answer");
            return Served::failed;
        }
        std::array<std::byte, max_command_bytes> command;
        const std::size_t size = copy_from_segments(chain.readable, 0, command);
        const bool is_whole = chain.readable_bytes == size;
        const bool ok = is_whole && execute(std::span(command).first(size));
        const std::byte answer{ok ? control_ok : control_error};
        copy_to_segments(chain.writable, 0, {&answer, 1});
        queue.push_used(chain.head, 1);
        return Served::done;
    };
    take_turn(queue, control_queue, active_->notifier, segments_, queue.size(), serve,
              [this](std::string_view reason) { fail(reason); });
}

bool VirtioNet::execute(ByteView command) noexcept {
    constexpr std::size_t header_bytes = 2;
    if (command.size() < header_bytes)
        return false;
    const auto command_class = std::to_integer<std::uint8_t>(command[0]);
    const auto number = std::to_integer<std::uint8_t>(command[1]);
    const ByteView data = command.subspan(header_bytes);
    if (command_class == class_rx)
        return accepted(number <= rx_allmulti ? feature_ctrl_rx : feature_ctrl_rx_extra) &&
               filter_.set_mode(number, data);
    if (command_class == class_mac && number == mac_table_set)
        return accepted(feature_ctrl_rx) && filter_.set_tables(data);
    if (command_class == class_mac && number == mac_addr_set)
        return accepted(feature_ctrl_mac_addr) && filter_.set_own_address(data);
    return false;
}

/// Bytes are those the rate limits count, the header in front of each frame among them.
VirtioDevice::Counters VirtioNet::counters() const {
    return {{"rx_queue_event_count", counts_.rx_kicks.get()},
            {"rx_event_rate_limiter_count", counts_.rx_limit_events.get()},
            {"rx_rate_limiter_throttled", receive_held_count()},
            {"rx_bytes_count", counts_.rx_bytes.get()},
            {"rx_packets_count", counts_.rx_frames.get()},
            {"rx_count", counts_.rx_frames.get()},
            {"rx_fails", counts_.rx_dropped.get()},
            {"no_rx_avail_buffer", counts_.rx_no_buffers.get()},
            {"tx_queue_event_count", counts_.tx_kicks.get()},
            {"tx_rate_limiter_event_count", counts_.tx_limit_events.get()},
            {"tx_rate_limiter_throttled", transmit_held_count()},
            {"tx_bytes_count", counts_.tx_bytes.get()},
            {"tx_packets_count", counts_.tx_frames.get()},
            {"tx_count", counts_.tx_frames.get()},
            {"tx_malformed_frames", counts_.tx_malformed.get()}};
}

void VirtioNet::save(StateWriter& writer) const {
    writer.begin("virtio-net", 2);
    writer.put(link_up_);
    filter_.save(writer);
    receive_throttle_.save(writer);
    transmit_throttle_.save(writer);
}

void VirtioNet::restore(StateReader& reader) {
    const std::uint16_t version = reader.begin("virtio-net", 2);
    reader.get(link_up_);
    filter_.restore(reader);
    if (version >= 2) {
        receive_throttle_.restore(reader);
        transmit_throttle_.restore(reader);
    }
    waiting_bytes_ = 0;
}

} // namespace coldstart
