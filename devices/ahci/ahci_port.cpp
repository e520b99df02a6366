#include "devices/ahci/ahci_port.h"

#include "devices/ahci/ata_spec.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <utility>

namespace coldstart {
namespace {

using namespace ahci;

constexpr std::uint64_t list_alignment = 1024;
constexpr std::uint64_t fis_alignment = 256;
constexpr std::uint32_t busy_or_data = ata::status_busy | ata::status_data;

std::uint32_t merge(std::uint32_t old, std::uint32_t value, std::uint32_t mask) noexcept {
    return (old & ~mask) | (value & mask);
}

void merge_low(std::uint64_t& base, std::uint32_t value, std::uint32_t mask,
               std::uint64_t alignment) noexcept {
    base = ((base & ~std::uint64_t{mask}) | (value & mask)) & ~(alignment - 1);
}

void merge_high(std::uint64_t& base, std::uint32_t value, std::uint32_t mask) noexcept {
    base = (base & 0xffffffff) |
           std::uint64_t{merge(static_cast<std::uint32_t>(base >> 32), value, mask)} << 32;
}

} // namespace

AhciPort::AhciPort(std::unique_ptr<AtaDrive> drive, const GuestMemory& memory, AhciPortOwner& owner)
    : drive_(std::move(drive)), memory_(memory), owner_(owner) {
    DiskImage* const image = drive_ != nullptr ? drive_->image() : nullptr;
    if (image != nullptr && image->max_in_flight() < slot_count)
        throw Error(cat("a SATA disk's image takes ", image->max_in_flight(),
                        " requests at once, fewer than a port's ", slot_count));
    power_on();
    if (image != nullptr)
        image->set_client(*this);
}

AhciPort::~AhciPort() {
    if (drive_ != nullptr && drive_->image() != nullptr)
        drive_->image()->disconnect();
}

bool AhciPort::link_up() const noexcept {
    return drive_ != nullptr && !link_reset_ && (state_.sata_control & det_mask) == 0;
}

std::uint32_t AhciPort::sata_status() const noexcept {
    if ((state_.sata_control & det_mask) == det_offline)
        return det_offline;
    if (!link_up())
        return 0;
    const std::uint32_t limit = state_.sata_control >> 4 & 0xf;
    const std::uint32_t speed = limit == 0 ? fastest_speed : std::min(limit, fastest_speed);
    return ssts_up | speed << 4;
}

std::uint32_t AhciPort::interrupts() const noexcept {
    return state_.interrupt_status | ((state_.sata_error & serr_exchanged) != 0 ? is_connect : 0) |
           ((state_.sata_error & serr_phy_ready) != 0 ? is_phy_ready : 0);
}

std::uint32_t AhciPort::read(unsigned offset) const noexcept {
    switch (offset) {
    case port_clb:
        return static_cast<std::uint32_t>(state_.command_list);
    case port_clbu:
        return static_cast<std::uint32_t>(state_.command_list >> 32);
    case port_fb:
        return static_cast<std::uint32_t>(state_.received_fis);
    case port_fbu:
        return static_cast<std::uint32_t>(state_.received_fis >> 32);
    case port_is:
        return interrupts();
    case port_ie:
        return state_.interrupt_enable;
    case port_cmd: {
        const bool running = (state_.command & cmd_start) != 0 || !idle();
        return state_.command | cmd_spin_up | cmd_power_on | (running ? cmd_running : 0) |
               ((state_.command & cmd_receive) != 0 ? cmd_receiving : 0) |
               std::uint32_t{state_.current_slot} << cmd_slot_shift;
    }
    case port_tfd:
        return state_.task_file;
    case port_sig:
        return state_.signature;
    case port_ssts:
        return sata_status();
    case port_sctl:
        return state_.sata_control;
    case port_serr:
        return state_.sata_error;
    case port_sact:
        return state_.sata_active;
    case port_ci:
        return state_.issued;
    default:
        return 0;
    }
}

void AhciPort::write(unsigned offset, std::uint32_t value, std::uint32_t mask) noexcept {
    switch (offset) {
    case port_clb:
        merge_low(state_.command_list, value, mask, list_alignment);
        break;
    case port_clbu:
        merge_high(state_.command_list, value, mask);
        break;
    case port_fb:
        merge_low(state_.received_fis, value, mask, fis_alignment);
        break;
    case port_fbu:
        merge_high(state_.received_fis, value, mask);
        break;
    case port_is:
        state_.interrupt_status &= ~(value & mask);
        break;
    case port_ie:
        state_.interrupt_enable = merge(state_.interrupt_enable, value, mask) & is_known;
        break;
    case port_cmd:
        write_command(value, mask);
        break;
    case port_sctl:
        write_sata_control(value, mask);
        break;
    case port_serr:
        state_.sata_error &= ~(value & mask);
        break;
    case port_sact:
        if ((state_.command & cmd_start) != 0)
            state_.sata_active |= value & mask;
        break;
    case port_ci:
        if ((state_.command & cmd_start) != 0)
            state_.issued |= value & mask;
        break;
    default:
        break;
    }
}

void AhciPort::write_command(std::uint32_t value, std::uint32_t mask) noexcept {
    const std::uint32_t old = state_.command;
    state_.command = merge(old, value, mask) & cmd_writable;
    const std::uint32_t set = state_.command & ~old;
    const std::uint32_t cleared = old & ~state_.command;
    if ((cleared & cmd_start) != 0) {
        abandon();
        state_.current_slot = 0;
        state_.halted = false;
    }
    if ((value & mask & cmd_override) != 0 && (state_.command & cmd_start) == 0)
        state_.task_file &= ~busy_or_data;
    if ((set & cmd_receive) != 0)
        deliver_signature();
}

void AhciPort::write_sata_control(std::uint32_t value, std::uint32_t mask) noexcept {
    const std::uint32_t before = state_.sata_control & det_mask;
    state_.sata_control = merge(state_.sata_control, value, mask) & sctl_writable;
    const std::uint32_t now = state_.sata_control & det_mask;
    if (before == now)
        return;
    abandon();
    state_.task_file = task_file_none;
    state_.signature = signature_none;
    state_.signature_due = false;
    link_reset_ = now == 0;
    bring_link_up();
}

void AhciPort::abandon() noexcept {
    state_.issued = 0;
    state_.sata_active = 0;
    for (unsigned slot = 0; slot < slot_count; ++slot)
        slots_[slot].abandoned = (active_ >> slot & 1) != 0;
}

void AhciPort::bring_link_up() noexcept {
    if (!link_reset_ || !idle())
        return;
    link_reset_ = false;
    state_.soft_reset = false;
    if (drive_ == nullptr)
        return;
    drive_->reset();
    state_.sata_error |= serr_exchanged;
    show_signature();
}

void AhciPort::show_signature() noexcept {
    const AtaResult result = drive_->signature();
    set_task_file(result);
    state_.signature = static_cast<std::uint32_t>(result.lba << 8) | (result.count & 0xffu);
    state_.signature_due = true;
    deliver_signature();
}

void AhciPort::deliver_signature() noexcept {
    if (!state_.signature_due || (state_.command & cmd_receive) == 0 || !owner_.may_use_memory())
        return;
    state_.signature_due = false;
    post_register_fis(drive_->signature(), false);
}

void AhciPort::run() noexcept {
    DiskImage* const image = drive_ != nullptr ? drive_->image() : nullptr;
    deliver_signature();
    issue_all();
    if (image != nullptr) {
        image->commit();
        image->reap();
    }
    bring_link_up();
    issue_all();
    if (image != nullptr)
        image->commit();
}

bool AhciPort::has_work() const noexcept {
    return (state_.issued & ~active_) != 0 && may_issue();
}

void AhciPort::drain() noexcept {
    if (drive_ != nullptr && drive_->image() != nullptr)
        drive_->image()->drain();
    bring_link_up();
}

void AhciPort::reset() noexcept {
    State fresh;
    fresh.command_list = state_.command_list;
    fresh.received_fis = state_.received_fis;
    state_ = fresh;
    link_reset_ = true;
    bring_link_up();
}

void AhciPort::power_on() noexcept {
    state_ = State{};
    if (drive_ != nullptr)
        drive_->power_on();
    reset();
}

void AhciPort::save(StateWriter& writer) const {
    const auto& [command_list, received_fis, interrupt_status, interrupt_enable, command, task_file,
                 signature, sata_control, sata_error, sata_active, issued, current_slot, halted,
                 soft_reset, signature_due] = state_;
    writer.begin("ahci-port", 1);
    writer.fields(command_list, received_fis, interrupt_status, interrupt_enable, command,
                  task_file, signature, sata_control, sata_error, sata_active, issued, current_slot,
                  halted, soft_reset, signature_due, drive_ != nullptr);
    if (drive_ != nullptr)
        drive_->save(writer);
}

void AhciPort::restore(StateReader& reader) {
    State loaded;
    auto& [command_list, received_fis, interrupt_status, interrupt_enable, command, task_file,
           signature, sata_control, sata_error, sata_active, issued, current_slot, halted,
           soft_reset, signature_due] = loaded;
    bool has_drive = false;
    reader.begin("ahci-port", 1);
    reader.fields(command_list, received_fis, interrupt_status, interrupt_enable, command,
                  task_file, signature, sata_control, sata_error, sata_active, issued, current_slot,
                  halted, soft_reset, signature_due, has_drive);
    if (has_drive != (drive_ != nullptr))
        throw Error(cat("saved state: a SATA port had ", has_drive ? "a" : "no",
                        " drive, this machine's has ", has_drive ? "none" : "one"),
                    "restore it with the drives it was saved with");
    if (command_list % list_alignment != 0 || received_fis % fis_alignment != 0 ||
        (interrupt_status & (~is_known | is_derived)) != 0 || (interrupt_enable & ~is_known) != 0 ||
        (command & ~cmd_writable) != 0 || (sata_control & ~sctl_writable) != 0 ||
        (sata_error & ~serr_known) != 0 || current_slot >= slot_count ||
        (signature_due && !has_drive))
        throw Error("saved state: a SATA port's registers hold impossible values",
                    "the file is damaged");
    if (drive_ != nullptr)
        drive_->restore(reader);
    restored_ = loaded;
}

void AhciPort::commit_restore() noexcept {
    abandon(); // nobody is to hear of a command that ends now
    drain();
    state_ = restored_;
    link_reset_ = false;
    if (drive_ != nullptr)
        drive_->commit_restore();
}

} // namespace coldstart
