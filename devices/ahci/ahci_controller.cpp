#include "devices/ahci/ahci_controller.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <cerrno>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace coldstart {
namespace {

using namespace ahci;

constexpr PciIdentity pci_identity{.vendor_id = vendor_id,
                                   .device_id = device_id,
                                   .revision = revision,
                                   .class_code = class_code,
                                   .subsystem_vendor_id = 0,
                                   .subsystem_id = 0,
                                   .interrupt_pin = 1};

} // namespace

AhciController::AhciController(const AhciHost& host, std::vector<std::unique_ptr<AtaDrive>> drives)
    : PciFunction(pci_identity, host.placer, &host.intx), msi_(host.msis.make_msi()),
      kick_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (drives.size() > port_count)
        throw UsageError(
            cat(drives.size(), " SATA drives, the controller has ", port_count, " ports"),
            "give some disks bus=virtio");
    if (!kick_)
        throw system_error("eventfd of the SATA controller", errno);
    add_bar(index_bar, BarKind::io,
            {.name = "index", .bus = BusKind::pio, .size_bytes = index_bar_bytes});
    register_region_ =
        add_bar(register_bar, BarKind::memory32,
                {.name = "registers", .bus = BusKind::mmio, .size_bytes = register_bar_bytes});
    const unsigned msi = add_capability(msi_id, msi_bytes, msi_at);
    define(msi + msi_control, 2, msi_64_bit, msi_enable);
    define(msi + msi_address, 4, 0, ~3u);
    define(msi + msi_address_high, 4, 0, ~0u);
    define(msi + msi_data, 2, 0, 0xffff);
    const unsigned sata = add_capability(sata_id, sata_bytes, sata_at);
    define(sata + 2, 2, sata_revision);
    define(sata + 4, 4, sata_location);

    drives.resize(port_count);
    for (std::unique_ptr<AtaDrive>& drive : drives)
        ports_.push_back(std::make_unique<AhciPort>(std::move(drive), host.memory,
                                                    static_cast<AhciPortOwner&>(*this)));
    watch_ = host.reactor.watch(kick_.get(), POLLIN, [this](std::uint32_t) { run_ports(); });
}

void AhciController::kick() noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(kick_.get(), &one, sizeof one);
}

void AhciController::run_ports() noexcept {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(kick_.get(), &count, sizeof count);
    const std::lock_guard guard(lock_);
    for (const std::unique_ptr<AhciPort>& port : ports_)
        port->run();
    finish_reset();
    sync();
}

void AhciController::port_ready(AhciPort& port) noexcept {
    const std::lock_guard guard(lock_);
    port.run();
    finish_reset();
    sync();
}

std::uint64_t AhciController::read(unsigned region, std::uint64_t offset, unsigned width) noexcept {
    const std::lock_guard guard(lock_);
    return region == register_region_ ? read_registers(offset, width)
                                      : read_index_pair(offset, width);
}

void AhciController::write(unsigned region, std::uint64_t offset, unsigned width,
                           std::uint64_t value) noexcept {
    bool work = false;
    {
        const std::lock_guard guard(lock_);
        if (region == register_region_)
            write_registers(offset, width, value);
        else
            write_index_pair(offset, width, value);
        work = std::ranges::any_of(ports_, [](const auto& port) { return port->has_work(); });
    }
    if (work)
        kick();
}

// Registers are doublewords; a driver may take part of one, or two at once.
std::uint64_t AhciController::read_registers(std::uint64_t offset, unsigned width) const noexcept {
    std::uint64_t value = 0;
    unsigned done = 0;
    while (done < width) {
        const auto at = static_cast<unsigned>(offset) + done;
        const unsigned skip = at % 4;
        const unsigned bytes = std::min(4 - skip, width - done);
        const std::uint64_t piece = read_register(at - skip) >> (8 * skip) & all_ones(bytes);
        value |= piece << (8 * done);
        done += bytes;
    }
    return value;
}

void AhciController::write_registers(std::uint64_t offset, unsigned width,
                                     std::uint64_t value) noexcept {
    unsigned done = 0;
    while (done < width) {
        const auto at = static_cast<unsigned>(offset) + done;
        const unsigned skip = at % 4;
        const unsigned bytes = std::min(4 - skip, width - done);
        const auto mask = static_cast<std::uint32_t>(all_ones(bytes) << (8 * skip));
        const auto piece = static_cast<std::uint32_t>(value >> (8 * done) << (8 * skip));
        write_register(at - skip, piece & mask, mask);
        done += bytes;
    }
}

std::uint32_t AhciController::read_register(unsigned offset) const noexcept {
    if (offset >= first_port) {
        const unsigned port = (offset - first_port) / port_bytes;
        return port < ports_.size() ? ports_[port]->read(offset % port_bytes) : 0;
    }
    switch (offset) {
    case reg_cap:
        return cap_value;
    case reg_ghc:
        return state_.host_control | (resetting_ ? ghc_reset : 0);
    case reg_is:
        return state_.interrupt_status;
    case reg_pi:
        return ports_value;
    case reg_vs:
        return version_value;
    case reg_cap2:
        return cap2_value;
    case reg_bohc:
        return state_.handoff;
    default:
        return 0;
    }
}

void AhciController::write_register(unsigned offset, std::uint32_t value,
                                    std::uint32_t mask) noexcept {
    if (resetting_)
        return;
    bool again = false;
    if (offset >= first_port) {
        const unsigned port = (offset - first_port) / port_bytes;
        if (port < ports_.size())
            ports_[port]->write(offset % port_bytes, value, mask);
    } else if (offset == reg_is) {
        state_.interrupt_status &= ~value;
        again = state_.interrupt_status != 0; // the rest wants a message of its own, 10.6.2.2
    } else if (offset == reg_bohc) {
        write_handoff(value, mask);
    } else if (offset == reg_ghc && (mask & 0xff) != 0) {
        const std::uint32_t before = state_.host_control;
        write_host_control(value);
        again =
            (state_.host_control & ~before & ghc_interrupts) != 0 && state_.interrupt_status != 0;
    }
    finish_reset();
    sync(again);
}

void AhciController::write_host_control(std::uint32_t value) noexcept {
    state_.host_control = ghc_ahci | (value & ghc_interrupts);
    if ((value & ghc_reset) == 0)
        return;
    resetting_ = true;
    for (const std::unique_ptr<AhciPort>& port : ports_)
        port->abandon();
}

void AhciController::write_handoff(std::uint32_t value, std::uint32_t mask) noexcept {
    const std::uint32_t before = state_.handoff;
    std::uint32_t now = before & ~(value & bohc_os_changed);
    now = (now & ~(mask & bohc_writable)) | (value & bohc_writable);
    if ((now & ~before & bohc_os_owned) != 0)
        now |= bohc_os_changed;
    state_.handoff = now;
}

std::uint64_t AhciController::read_index_pair(std::uint64_t offset, unsigned width) const noexcept {
    if (width > 4)
        return all_ones(width);
    const std::uint64_t skip = offset % 4;
    if (skip + width > 4)
        return all_ones(width);
    if (offset - skip == index_offset)
        return state_.index >> (8 * skip) & all_ones(width);
    if (offset - skip == data_offset)
        return read_registers(state_.index + skip, width);
    return 0;
}

void AhciController::write_index_pair(std::uint64_t offset, unsigned width,
                                      std::uint64_t value) noexcept {
    const std::uint64_t skip = offset % 4;
    if (width > 4 || skip + width > 4)
        return;
    if (offset - skip == index_offset) {
        const std::uint64_t mask = all_ones(width) << (8 * skip);
        state_.index =
            static_cast<std::uint32_t>((state_.index & ~mask) | value << (8 * skip)) & index_mask;
    } else if (offset - skip == data_offset) {
        write_registers(state_.index + skip, width, value);
    }
}

bool AhciController::idle() const noexcept {
    return std::ranges::all_of(ports_, [](const auto& port) { return port->idle(); });
}

void AhciController::finish_reset() noexcept {
    if (!resetting_ || !idle())
        return;
    resetting_ = false;
    const std::uint32_t index = state_.index;
    const std::uint32_t handoff = state_.handoff; // belongs to who talks, not to the ports
    state_ = State{};
    state_.index = index;
    state_.handoff = handoff;
    for (const std::unique_ptr<AhciPort>& port : ports_)
        port->reset();
}

void AhciController::sync(bool again) noexcept {
    std::uint32_t wanting = 0;
    for (unsigned i = 0; i < ports_.size(); ++i)
        wanting |= ports_[i]->interrupting() ? 1u << i : 0;
    const bool is_new = (wanting & ~state_.interrupt_status) != 0;
    state_.interrupt_status |= wanting;
    const bool asserted =
        state_.interrupt_status != 0 && (state_.host_control & ghc_interrupts) != 0;
    const bool by_message = msi_enabled_.load(std::memory_order_acquire);
    set_intx(asserted && !by_message);
    if (asserted && by_message && (is_new || again) && is_bus_master())
        msi_->send();
}

void AhciController::config_written(unsigned /*offset*/, unsigned /*width*/) noexcept {
    const bool was = msi_enabled_.load(std::memory_order_acquire);
    MsiMessage message;
    message.address = config_value(msi_at + msi_address, 4) |
                      std::uint64_t{config_value(msi_at + msi_address_high, 4)} << 32;
    message.data = config_value(msi_at + msi_data, 2);
    const std::uint32_t control = config_value(msi_at + msi_control, 2);
    {
        const std::lock_guard guard(lock_);
        load_msi(control, message);
        sync(!was && (control & msi_enable) != 0);
    }
    kick(); // the guest may have made it a bus master
}

void AhciController::load_msi(std::uint32_t control, MsiMessage message) noexcept {
    const bool enabled = (control & msi_enable) != 0;
    if (enabled)
        msi_->set_message(message);
    msi_enabled_.store(enabled, std::memory_order_release);
}

void AhciController::pause() {
    const std::lock_guard guard(lock_);
    for (const std::unique_ptr<AhciPort>& port : ports_)
        port->pause();
}

bool AhciController::drained() {
    const std::lock_guard guard(lock_);
    return idle();
}

void AhciController::resume() {
    {
        const std::lock_guard guard(lock_);
        for (const std::unique_ptr<AhciPort>& port : ports_)
            port->resume();
    }
    kick();
}

void AhciController::reset() {
    reset_config();
    const std::lock_guard guard(lock_);
    for (const std::unique_ptr<AhciPort>& port : ports_) {
        port->abandon();
        port->drain();
        port->power_on();
    }
    resetting_ = false;
    state_ = State{};
    msi_enabled_.store(false, std::memory_order_release);
    sync();
}

} // namespace coldstart
