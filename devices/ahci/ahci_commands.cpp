// The way of a command: AHCI 1.3.1, sections 5.3 (port state machine), 5.5 and 6.2 (errors).
#include "devices/ahci/ahci_port.h"
#include "devices/ahci/ata_spec.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <bit>
#include <system_error>

namespace coldstart {
namespace {

using namespace ahci;

constexpr std::size_t command_fis_bytes = 20;
constexpr std::uint32_t shortest_fis = command_fis_bytes / 4;
constexpr std::uint32_t longest_fis = 16;

using CommandFis = std::array<std::uint8_t, 64>;

AtaCommand parse(const CommandFis& fis) noexcept {
    AtaCommand command;
    command.code = fis[2];
    command.device = fis[7];
    command.features = static_cast<std::uint16_t>(fis[3] | fis[11] << 8);
    command.count = static_cast<std::uint16_t>(fis[12] | fis[13] << 8);
    for (unsigned i = 0; i < 3; ++i) {
        command.lba |= std::uint64_t{fis[4 + i]} << (8 * i);
        command.lba |= std::uint64_t{fis[8 + i]} << (24 + 8 * i);
    }
    return command;
}

bool is_queued(const AtaCommand& command) noexcept {
    return command.code == ata::read_queued || command.code == ata::write_queued;
}

bool failed(const AtaResult& result) noexcept {
    return (result.status & ata::status_error) != 0;
}

} // namespace

bool AhciPort::may_issue() const noexcept {
    const bool any_abandoned =
        active_ != 0 && slots_[static_cast<unsigned>(std::countr_zero(active_))].abandoned;
    return link_up() && (state_.command & cmd_start) != 0 && !state_.halted && !paused_ &&
           !any_abandoned && owner_.may_use_memory();
}

void AhciPort::issue_all() noexcept {
    // As many at most as there are slots: nobody adds to `issued` while the lock is held.
    while (may_issue()) {
        const std::uint32_t waiting = state_.issued & ~active_;
        if (waiting == 0)
            return;
        const unsigned first = (state_.current_slot + 1u) % slot_count;
        const unsigned steps =
            static_cast<unsigned>(std::countr_zero(std::rotr(waiting, static_cast<int>(first))));
        if (!issue((first + steps) % slot_count))
            return;
    }
}

bool AhciPort::issue(unsigned slot) noexcept {
    const Gpa header_at(state_.command_list + slot * sizeof(CommandHeader));
    const auto header = memory_.load<CommandHeader>(header_at);
    const Gpa table(header ? header->table & ~std::uint64_t{127} : 0);
    const auto fis = header ? memory_.load<CommandFis>(table) : std::nullopt;
    const auto packet = memory_.load<std::array<std::uint8_t, 16>>(table + table_packet);
    if (!fis || !packet) {
        fatal(slot, is_host_bus);
        return true;
    }
    const std::uint32_t length = header->flags & header_length;
    if (length < shortest_fis || length > longest_fis || (*fis)[0] != fis_host_to_device) {
        fatal(slot, is_interface); // nothing that a drive would take
        return true;
    }
    Slot& entry = slots_[slot];
    const AtaCommand command = parse(*fis);
    const bool is_control = ((*fis)[1] & fis_command) == 0;
    const bool alongside = is_queued(command) && !is_control;
    // All that are under way are queued, or it is a single one that is not.
    const bool others_queued =
        active_ != 0 && slots_[static_cast<unsigned>(std::countr_zero(active_))].action.protocol ==
                            AtaProtocol::queued;
    if (active_ != 0 && !(alongside && others_queued))
        return false;
    state_.current_slot = static_cast<std::uint8_t>(slot);
    if (is_control) {
        take_control_fis(slot, (*fis)[15]);
        return true;
    }
    entry = Slot{};
    entry.command = command;
    entry.command.packet = *packet;
    entry.header = header_at;
    entry.buffer = GuestBuffer(memory_, table + table_prds, header->flags >> header_prds_shift);
    active_ |= 1u << slot;
    state_.task_file = (state_.task_file & 0xff00) | ata::status_busy | ata::status_good;
    entry.action = drive_->begin(entry.command, page_);
    if (entry.action.protocol == AtaProtocol::queued) {
        // The drive takes it into its queue, and is free for the next.
        AtaResult accepted;
        accepted.status = ata::status_good;
        post_register_fis(accepted, false);
        set_task_file(accepted);
        state_.issued &= ~(1u << slot);
    }
    act(slot);
    return true;
}

void AhciPort::take_control_fis(unsigned slot, std::uint8_t control) noexcept {
    const bool reset = (control & control_reset) != 0;
    state_.issued &= ~(1u << slot);
    if (reset)
        state_.task_file = ata::status_busy;
    else if (state_.soft_reset) {
        drive_->reset();
        show_signature();
    }
    state_.soft_reset = reset;
}

void AhciPort::act(unsigned slot) noexcept {
    const AtaAction& action = slots_[slot].action;
    switch (action.kind) {
    case AtaAction::Kind::finish:
        finish(slot, action.result);
        return;
    case AtaAction::Kind::reply:
        reply(slot);
        return;
    case AtaAction::Kind::receive:
        receive(slot);
        return;
    case AtaAction::Kind::transfer:
        start_transfer(slot);
        return;
    case AtaAction::Kind::discard:
        next_discard(slot);
        return;
    case AtaAction::Kind::flush:
        break;
    }
    if (DiskImage* const image = drive_->image()) {
        DiskRequest request;
        request.operation = DiskOperation::flush;
        request.tag = slot;
        image->submit(request);
    }
}

void AhciPort::reply(unsigned slot) noexcept {
    Slot& entry = slots_[slot];
    entry.done_bytes = entry.buffer.copy_out(ByteView(page_).first(entry.action.size_bytes));
    if (entry.buffer.faulted()) {
        fatal(slot, is_host_bus);
        return;
    }
    if (entry.done_bytes < entry.action.size_bytes)
        state_.interrupt_status |= is_overflow;
    finish(slot, entry.action.result);
}

void AhciPort::receive(unsigned slot) noexcept {
    Slot& entry = slots_[slot];
    const std::span<std::byte> data = std::span(page_).first(entry.action.size_bytes);
    entry.done_bytes = entry.buffer.copy_in(data);
    if (entry.buffer.faulted()) {
        fatal(slot, is_host_bus);
        return;
    }
    if (entry.done_bytes < data.size()) {
        overflow(slot);
        return;
    }
    entry.action = drive_->received(entry.command, data);
    act(slot);
}

void AhciPort::start_transfer(unsigned slot) noexcept {
    Slot& entry = slots_[slot];
    const AtaAction& action = entry.action;
    if (!entry.buffer.has_room(action.size_bytes)) {
        if (entry.buffer.faulted())
            fatal(slot, is_host_bus);
        else
            overflow(slot);
        return;
    }
    const bool to_guest = action.operation == DiskOperation::read;
    if (action.protocol == AtaProtocol::queued)
        post_dma_setup(ata::queue_tag(entry.command.count), action.size_bytes, to_guest);
    else if (action.protocol == AtaProtocol::pio && !to_guest)
        post_pio_setup(action.result, action.size_bytes, false, false);
    next_chunk(slot);
}

void AhciPort::next_chunk(unsigned slot) noexcept {
    Slot& entry = slots_[slot];
    DiskImage& image = *drive_->image();
    std::size_t count = 0;
    entry.chunk_bytes = entry.buffer.take(
        pieces_, count, entry.action.size_bytes - entry.done_bytes, image.geometry().block_bytes);
    if (entry.chunk_bytes == 0) {
        // Outside RAM, made shorter by the guest meanwhile, or a large block in tiny pieces.
        if (entry.buffer.faulted())
            fatal(slot, is_host_bus);
        else
            overflow(slot);
        return;
    }
    DiskRequest request;
    request.operation = entry.action.operation;
    request.tag = slot;
    request.offset_bytes = entry.action.offset_bytes + entry.done_bytes;
    request.segments = std::span(pieces_).first(count);
    request.durable = entry.action.durable;
    image.submit(request);
}

void AhciPort::next_discard(unsigned slot) noexcept {
    Slot& entry = slots_[slot];
    const ByteView ranges = ByteView(page_).first(entry.action.size_bytes);
    DiscardRange range;
    while (drive_->discard_range(ranges, entry.next_range, range)) {
        ++entry.next_range;
        if (range.size_bytes == 0)
            continue;
        DiskRequest request;
        request.operation = DiskOperation::discard;
        request.tag = slot;
        request.offset_bytes = range.offset_bytes;
        request.size_bytes = range.size_bytes;
        drive_->image()->submit(request);
        return;
    }
    finish(slot, drive_->completed(entry.command, entry.action, 0, entry.done_bytes));
}

void AhciPort::disk_completed(std::uint32_t tag, int error) noexcept {
    Slot& entry = slots_[tag];
    if (entry.abandoned) {
        release(tag);
        return;
    }
    if (error != 0) {
        if (complaints_.allow())
            log_warn(cat("SATA: the host failed a request of the guest: ",
                         std::generic_category().message(error)));
        finish(tag, drive_->completed(entry.command, entry.action, error, entry.done_bytes));
        return;
    }
    if (entry.action.kind == AtaAction::Kind::discard) {
        next_discard(tag);
        return;
    }
    entry.done_bytes += entry.chunk_bytes;
    entry.chunk_bytes = 0;
    if (entry.action.kind == AtaAction::Kind::transfer &&
        entry.done_bytes < entry.action.size_bytes) {
        next_chunk(tag);
        return;
    }
    finish(tag, drive_->completed(entry.command, entry.action, 0, entry.done_bytes));
}

void AhciPort::overflow(unsigned slot) noexcept {
    Slot& entry = slots_[slot];
    state_.interrupt_status |= is_overflow;
    AtaResult result = entry.action.result;
    result.status = ata::status_good | ata::status_error;
    result.error = ata::error_abort;
    finish(slot, result);
}

void AhciPort::finish(unsigned slot, const AtaResult& result) noexcept {
    Slot& entry = slots_[slot];
    const AtaAction& action = entry.action;
    if (entry.buffer.wants_interrupt())
        state_.interrupt_status |= is_prd_done;
    if (action.protocol == AtaProtocol::queued) {
        finish_queued(slot, result);
        return;
    }
    const auto moved = static_cast<std::uint32_t>(entry.done_bytes);
    if (!memory_.store(entry.header + header_transferred, moved)) {
        fatal(slot, is_host_bus);
        return;
    }
    const bool to_guest =
        action.kind == AtaAction::Kind::reply ||
        (action.kind == AtaAction::Kind::transfer && action.operation == DiskOperation::read);
    const bool pio_in = action.protocol == AtaProtocol::pio && to_guest && !failed(result);
    const bool is_packet = entry.command.code == ata::packet;
    if (pio_in)
        post_pio_setup(result, entry.done_bytes, true, true);
    // Data that comes by PIO is the end of an ATA command: no register FIS follows.
    if (!pio_in || is_packet)
        post_register_fis(result, true);
    set_task_file(result);
    if (failed(result)) {
        state_.interrupt_status |= is_task_file;
        stop_at(slot);
        return;
    }
    state_.issued &= ~(1u << slot);
    release(slot);
}

void AhciPort::finish_queued(unsigned slot, const AtaResult& result) noexcept {
    const std::uint32_t tag_bit = 1u << ata::queue_tag(slots_[slot].command.count);
    set_task_file(result);
    if (failed(result)) {
        post_device_bits(result, 0);
        state_.interrupt_status |= is_device_bits | is_task_file;
        stop_at(slot);
        return;
    }
    state_.sata_active &= ~tag_bit;
    post_device_bits(result, tag_bit);
    state_.interrupt_status |= is_device_bits;
    release(slot);
}

void AhciPort::stop_at(unsigned slot) noexcept {
    release(slot);
    state_.halted = true;
    state_.current_slot = static_cast<std::uint8_t>(slot);
    for (unsigned other = 0; other < slot_count; ++other)
        slots_[other].abandoned = (active_ >> other & 1) != 0;
}

void AhciPort::fatal(unsigned slot, std::uint32_t cause) noexcept {
    state_.interrupt_status |= cause;
    stop_at(slot);
    if (complaints_.allow())
        log_warn(cat("SATA: the guest's command in slot ", slot,
                     cause == is_host_bus ? " points outside its memory" : " is no ATA command"));
}

void AhciPort::release(unsigned slot) noexcept {
    active_ &= ~(1u << slot);
    slots_[slot].abandoned = false;
}

} // namespace coldstart
