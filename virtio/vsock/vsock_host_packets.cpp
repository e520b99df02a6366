// VsockHost: packets of the guest, and packets for it (virtio 1.2, 5.10.6).
#include "virtio/vsock/vsock_host.h"
#include "vmm/base/text.h"

#include <exception>
#include <utility>

namespace coldstart {

using namespace virtio_vsock;

void VsockHost::guest_packet(const VsockPacket& packet, std::span<iovec> data) noexcept {
    if (packet.dst_cid != host_cid || packet.type != type_stream) {
        refuse(packet);
        return;
    }
    const VsockPorts ports{.host = packet.dst_port, .guest = packet.src_port};
    const auto found = table_.find(ports.key());
    if (found != table_.end())
        deliver(*found->second, packet, data);
    else if (packet.op == op_request)
        open(packet);
    else
        refuse(packet);
}

/// A reset is the answer, except to a reset.
void VsockHost::refuse(const VsockPacket& packet) noexcept {
    if (packet.op == op_rst)
        return;
    refusals_[(refusal_begin_ + refusal_count_) % max_refusals] = {
        .cid = packet.dst_cid,
        .ports = {.host = packet.dst_port, .guest = packet.src_port},
        .type = packet.type};
    ++refusal_count_;
}

void VsockHost::open(const VsockPacket& packet) noexcept {
    UniqueFd socket;
    if (connections() < max_connections)
        socket = listener_->connect_to(packet.dst_port);
    if (!socket) {
        refuse(packet);
        return;
    }
    const VsockPorts ports{.host = packet.dst_port, .guest = packet.src_port};
    try {
        const auto place = table_.emplace(ports.key(), nullptr).first;
        Entry& entry = add(resting_, std::move(socket), Stage::established);
        place->second = &entry;
        entry.stream.accept(ports);
        counts_.added.add();
        entry.stream.hear_credit(packet);
        settle(entry);
    } catch (const std::exception&) {
        table_.erase(ports.key());
        refuse(packet);
    }
}

void VsockHost::deliver(Entry& entry, const VsockPacket& packet, std::span<iovec> data) noexcept {
    VsockConnection& stream = entry.stream;
    if (stream.stage() == Stage::broken || stream.stage() == Stage::leaving) {
        // It ends already. A guest that has forgotten it may use its ports again.
        if (packet.op == op_rst || packet.op == op_request)
            depart(entry);
        if (packet.op == op_request)
            open(packet);
        return;
    }
    stream.hear_credit(packet);
    const bool open = stream.stage() == Stage::established;
    switch (packet.op) {
    case op_request:
        return break_off(entry, "a second request");
    case op_response:
        if (!stream.establish())
            return break_off(entry, "an answer to no request");
        set_deadline(entry, 0);
        break;
    case op_rst:
        return depart(entry);
    case op_shutdown:
        if (!open)
            return break_off(entry, "the end of what has not begun");
        stream.guest_shuts(packet.flags);
        if (stream.stage() == Stage::leaving)
            set_deadline(entry, 0);
        break;
    case op_rw:
        if (!stream.take(data, packet.len))
            return break_off(entry, "data it has no leave to send");
        break;
    case op_credit_update:
        break;
    case op_credit_request:
        stream.ask_credit_update();
        break;
    default:
        return break_off(entry, "an operation that is none");
    }
    settle(entry);
}

/// `reason` is the guest's fault; empty: it is not.
void VsockHost::break_off(Entry& entry, std::string_view reason) noexcept {
    if (!reason.empty() && complaints_.allow())
        log_warn(cat("virtio-vsock: the guest broke the rules of a connection: ", reason,
                     "; it is reset"));
    counts_.killed.add();
    entry.stream.break_off();
    entry.deadline_ns = 0;
    settle(entry);
}

/// The guest has nothing to do with it any more. The host still gets what was sent to it.
void VsockHost::depart(Entry& entry) noexcept {
    if (entry.stream.fd() < 0 || entry.stream.flushed()) {
        remove(entry);
        return;
    }
    table_.erase(entry.stream.ports().key());
    entry.stream.linger();
    move_to(entry, lingering_);
    set_deadline(entry, linger_ns);
}

bool VsockHost::next_packet(VsockPacket& packet, std::span<const iovec> room) noexcept {
    // In turn, so that a guest that is refused much still hears of what it has.
    streams_turn_ = !streams_turn_;
    if (streams_turn_)
        return next_of_streams(packet, room) || next_refusal(packet);
    return next_refusal(packet) || next_of_streams(packet, room);
}

bool VsockHost::next_refusal(VsockPacket& packet) noexcept {
    if (refusal_count_ == 0)
        return false;
    const Refusal& refusal = refusals_[refusal_begin_];
    packet = {.src_cid = refusal.cid,
              .src_port = refusal.ports.host,
              .dst_port = refusal.ports.guest,
              .type = refusal.type,
              .op = op_rst};
    refusal_begin_ = (refusal_begin_ + 1) % max_refusals;
    --refusal_count_;
    return true;
}

bool VsockHost::next_of_streams(VsockPacket& packet, std::span<const iovec> room) noexcept {
    while (!ready_.empty()) {
        Entry& entry = ready_.front();
        const bool found = entry.stream.next_packet(packet, room);
        packet.src_cid = host_cid;
        if (found && packet.op == op_rst) {
            depart(entry);
            return true;
        }
        // To the end of the line, or out of it.
        move_to(entry, resting_);
        settle(entry);
        if (found)
            return true;
    }
    return false;
}

} // namespace coldstart
