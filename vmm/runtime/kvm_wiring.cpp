#include "vmm/runtime/kvm_wiring.h"

#include "vmm/base/error.h"
#include "vmm/base/log.h"
#include "vmm/base/text.h"
#include "vmm/base/unique_fd.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <sys/eventfd.h>

namespace coldstart {

class KvmWiring::LevelLine final : public IrqLine {
  public:
    LevelLine(KvmWiring& wiring, std::uint32_t gsi) : wiring_(wiring), gsi_(gsi) {}
    ~LevelLine() override { LevelLine::set_level(false); } // others may share the GSI

    void set_level(bool asserted) noexcept override {
        if (level_.exchange(asserted, std::memory_order_acq_rel) != asserted)
            wiring_.change_level(gsi_, asserted ? 1 : -1);
    }

  private:
    KvmWiring& wiring_;
    std::uint32_t gsi_;
    std::atomic<bool> level_{false};
};

class KvmWiring::EdgeLine final : public IrqLine {
  public:
    EdgeLine(KvmWiring& wiring, std::uint32_t gsi)
        : wiring_(wiring), gsi_(gsi), event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        if (!event_)
            throw system_error(cat("interrupt ", gsi, ": eventfd"), errno,
                               "raise the limit of open files (ulimit -n)");
        wiring_.edge_lines_.push_back(this);
    }
    ~EdgeLine() override {
        if (Vm* vm = wiring_.vm_.load(std::memory_order_acquire))
            vm->remove_irqfd(event_.get(), gsi_);
        std::erase(wiring_.edge_lines_, this);
    }

    void set_level(bool asserted) noexcept override {
        if (asserted)
            pulse();
    }

    void pulse() noexcept override {
        const std::uint64_t one = 1;
        // A full counter means that the interrupt is pending already.
        [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof one);
    }

    void bind(Vm& vm) const { vm.add_irqfd(event_.get(), gsi_); }
    void unbind(Vm& vm) const noexcept { vm.remove_irqfd(event_.get(), gsi_); }

  private:
    KvmWiring& wiring_;
    std::uint32_t gsi_;
    UniqueFd event_;
};

/// An edge into the monitor's own controllers.
class KvmWiring::PulseLine final : public IrqLine {
  public:
    PulseLine(KvmWiring& wiring, std::uint32_t gsi) : wiring_(wiring), gsi_(gsi) {}

    void set_level(bool asserted) noexcept override {
        if (asserted)
            pulse();
    }

    void pulse() noexcept override {
        wiring_.drive_controllers(gsi_, true);
        wiring_.drive_controllers(gsi_, false);
    }

  private:
    KvmWiring& wiring_;
    std::uint32_t gsi_;
};

class KvmWiring::MessageLine final : public MsiLine {
  public:
    MessageLine(KvmWiring& wiring, std::uint32_t gsi)
        : wiring_(wiring), gsi_(gsi), event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        if (!event_)
            throw system_error("a message-signalled interrupt: eventfd", errno,
                               "raise the limit of open files (ulimit -n)");
        wiring_.message_lines_.push_back(this);
    }
    ~MessageLine() override {
        if (Vm* vm = wiring_.vm_.load(std::memory_order_acquire))
            unbind(*vm);
        std::erase(wiring_.message_lines_, this);
    }

    void set_message(MsiMessage message) noexcept override { wiring_.set_route(gsi_, message); }

    void send() noexcept override {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof one);
    }

    void bind(Vm& vm) const { vm.add_irqfd(event_.get(), gsi_); }
    void unbind(Vm& vm) const noexcept { vm.remove_irqfd(event_.get(), gsi_); }

  private:
    KvmWiring& wiring_;
    std::uint32_t gsi_;
    UniqueFd event_;
};

std::unique_ptr<MsiLine> KvmWiring::make_msi() {
    auto line = std::make_unique<MessageLine>(*this, next_gsi_++);
    if (Vm* vm = vm_.load(std::memory_order_acquire))
        line->bind(*vm);
    return line;
}

void KvmWiring::set_route(std::uint32_t gsi, MsiMessage message) noexcept {
    const std::lock_guard guard(route_mutex_);
    const auto known = std::find_if(routes_.begin(), routes_.end(),
                                    [gsi](const MsiRoute& route) { return route.gsi == gsi; });
    if (known != routes_.end() && known->message == message)
        return;
    if (known != routes_.end())
        known->message = message;
    else
        routes_.push_back({gsi, message});
    set_routes();
}

/// With the routes' mutex held.
void KvmWiring::set_routes() noexcept {
    try {
        if (Vm* vm = vm_.load(std::memory_order_acquire))
            vm->set_routes(routes_);
    } catch (const std::exception& error) {
        log_warn(error.what());
    }
}

void KvmWiring::set_controllers(InterruptControllers controllers) {
    controllers_.emplace(std::move(controllers));
}

void KvmWiring::drive_controllers(std::uint32_t gsi, bool asserted) noexcept {
    if (!controllers_)
        return;
    // ISA interrupt 0, the PIT, is at pin 2 of the IOAPIC, as on a PC.
    controllers_->ioapic.set_input(gsi == 0 ? 2 : gsi, asserted);
    controllers_->pic.set_input(gsi, asserted);
}

void KvmWiring::send(const MsiMessage& message) noexcept {
    const std::shared_lock guard(send_mutex_);
    if (Vm* vm = vm_.load(std::memory_order_acquire))
        vm->signal_msi(message);
}

void KvmWiring::set_intr(bool asserted) noexcept {
    const std::shared_lock guard(send_mutex_);
    intr_.store(asserted, std::memory_order_release);
    if (vm_.load(std::memory_order_acquire) != nullptr)
        controllers_->set_intr(asserted);
}

void KvmWiring::watch_level(unsigned pin, std::optional<MsiMessage> message) noexcept {
    if (message) {
        set_route(pin, *message);
        return;
    }
    const std::lock_guard guard(route_mutex_);
    if (std::erase_if(routes_, [pin](const MsiRoute& route) { return route.gsi == pin; }) != 0)
        set_routes();
}

void KvmWiring::change_level(std::uint32_t gsi, int by) noexcept {
    const std::lock_guard guard(level_mutex_);
    const bool was = asserting_[gsi] > 0;
    asserting_[gsi] += by;
    const bool is = asserting_[gsi] > 0;
    if (was == is)
        return;
    Vm* const vm = vm_.load(std::memory_order_acquire);
    if (split_)
        drive_controllers(gsi, is);
    else if (vm != nullptr)
        vm->set_irq_line(gsi, is);
}

std::unique_ptr<IrqLine> KvmWiring::connect(std::uint32_t gsi, bool edge_triggered) {
    if (gsi >= Vm::ioapic_pins)
        throw Error(cat("interrupt ", gsi, ": the IOAPIC has inputs 0 to ", Vm::ioapic_pins - 1));
    if (!edge_triggered)
        return std::make_unique<LevelLine>(*this, gsi);
    if (split_)
        return std::make_unique<PulseLine>(*this, gsi);
    auto line = std::make_unique<EdgeLine>(*this, gsi);
    if (Vm* vm = vm_.load(std::memory_order_acquire))
        line->bind(*vm);
    return line;
}

std::size_t KvmWiring::silent_index(bool pio, std::uint64_t address) noexcept {
    // Fibonacci hashing: doorbells lie at the same offset of pages that follow each other.
    return ((address << 1 | (pio ? 1U : 0U)) * 0x9E37'79B9'7F4A'7C15) >> (64 - silent_index_bits);
}

void KvmWiring::attach(bool pio, std::uint64_t address, unsigned width_bytes, std::uint64_t value,
                       int event_fd) {
    const std::lock_guard guard(doorbell_mutex_);
    doorbells_.push_back({pio, address, width_bytes, value, event_fd});
    ++silent_doorbells_[silent_index(pio, address)];
}

void KvmWiring::detach(bool pio, std::uint64_t address, unsigned width_bytes, std::uint64_t value,
                       int event_fd) noexcept {
    const std::lock_guard guard(doorbell_mutex_);
    const auto gone =
        std::find_if(doorbells_.begin(), doorbells_.end(), [&](const DoorbellRecord& bell) {
            return bell.is(pio, address, width_bytes, value) && bell.event_fd == event_fd;
        });
    if (gone == doorbells_.end())
        return;
    if (!gone->is_joined)
        --silent_doorbells_[silent_index(pio, address)];
    else if (Vm* const vm = vm_.load(std::memory_order_acquire))
        vm->remove_ioeventfd(pio, address, width_bytes, value, event_fd);
    doorbells_.erase(gone);
}

void KvmWiring::rang(bool pio, std::uint64_t address, unsigned width_bytes,
                     std::uint64_t value) noexcept {
    std::atomic<std::uint32_t>& silent = silent_doorbells_[silent_index(pio, address)];
    if (silent.load(std::memory_order_relaxed) == 0)
        return;
    const std::lock_guard guard(doorbell_mutex_);
    const auto bell =
        std::find_if(doorbells_.begin(), doorbells_.end(), [&](const DoorbellRecord& known) {
            return !known.is_joined && known.is(pio, address, width_bytes, value);
        });
    Vm* const vm = vm_.load(std::memory_order_acquire);
    if (bell == doorbells_.end() || vm == nullptr)
        return;
    bell->is_joined = true;
    --silent;
    try {
        vm->add_ioeventfd(pio, address, width_bytes, value, bell->event_fd);
    } catch (const std::exception& error) {
        log_warn(error.what()); // it goes on as an ordinary write
    }
}

void KvmWiring::bind(Vm& vm) {
    for (const EdgeLine* line : edge_lines_)
        line->bind(vm);
    for (const MessageLine* line : message_lines_)
        line->bind(vm);
    const std::scoped_lock guard(level_mutex_, route_mutex_, doorbell_mutex_, send_mutex_);
    vm_.store(&vm, std::memory_order_release);
    for (std::uint32_t gsi = 0; !split_ && gsi < asserting_.size(); ++gsi) {
        if (asserting_[gsi] > 0)
            vm.set_irq_line(gsi, true); // the lines of a new machine are low
    }
    if (controllers_)
        controllers_->set_intr(intr_.load(std::memory_order_acquire));
    if (!routes_.empty())
        vm.set_routes(routes_);
}

void KvmWiring::unbind() noexcept {
    // With all of them: a line or doorbell that changes at this moment is done with the machine.
    const std::scoped_lock guard(level_mutex_, route_mutex_, doorbell_mutex_, send_mutex_);
    Vm* const vm = vm_.exchange(nullptr, std::memory_order_acq_rel);
    if (vm == nullptr)
        return;
    routes_.clear(); // the guest's tables end with its machine
    // An eventfd interrupts one machine only: Linux 6.18 refuses it to the next until it is free.
    for (const EdgeLine* line : edge_lines_)
        line->unbind(*vm);
    for (const MessageLine* line : message_lines_)
        line->unbind(*vm);
    for (DoorbellRecord& doorbell : doorbells_) {
        if (!std::exchange(doorbell.is_joined, false))
            continue;
        vm->remove_ioeventfd(doorbell.pio, doorbell.address, doorbell.width_bytes, doorbell.value,
                             doorbell.event_fd);
        ++silent_doorbells_[silent_index(doorbell.pio, doorbell.address)];
    }
}

} // namespace coldstart
