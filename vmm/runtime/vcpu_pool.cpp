#include "vmm/runtime/vcpu_pool.h"

#include "vmm/base/error.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include <pthread.h>

namespace coldstart {
namespace {

int kick_signal() noexcept {
    return SIGRTMIN;
}

/// The signal only has to interrupt KVM_RUN.
void install_kick_handler() {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    if (::sigaction(kick_signal(), &action, nullptr) < 0)
        throw system_error("the vCPU kick signal", errno);
}

} // namespace

VcpuPool::VcpuPool(Bus& bus, KvmWiring& wiring, const GuestMemory& memory,
                   MilestoneSink& milestones, StopHandler on_stop)
    : bus_(bus), wiring_(wiring), memory_(memory), milestones_(milestones),
      on_stop_(std::move(on_stop)) {
    install_kick_handler();
}

VcpuPool::~VcpuPool() {
    stop();
}

void VcpuPool::add(std::unique_ptr<Vcpu> vcpu, Preparation prepare) {
    // As if it had been parked before: rest() expects the request to be set.
    vcpu->request_exit();
    const std::lock_guard guard(mutex_);
    const std::size_t index = threads_.size();
    if (counters_.size() <= index)
        counters_.push_back(std::make_unique<Counters>());
    counters_[index]->smi = false;
    vcpus_.push_back(std::move(vcpu));
    if (prepare)
        ++unprepared_;
    threads_.emplace_back([this, &target = *vcpus_.back(), &counters = *counters_[index],
                           prepare = std::move(prepare)] {
        if (prepare)
            prepare_on_thread(target, prepare);
        thread_main(target, counters);
    });
}

void VcpuPool::prepare_on_thread(Vcpu& vcpu, const Preparation& prepare) noexcept {
    std::exception_ptr failure;
    try {
        prepare(vcpu);
    } catch (...) {
        failure = std::current_exception();
    }
    {
        const std::lock_guard guard(mutex_);
        --unprepared_;
        if (failure && !failure_)
            failure_ = std::move(failure);
    }
    changed_.notify_all();
}

void VcpuPool::wait_until_prepared() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return unprepared_ == 0; });
    if (failure_)
        std::rethrow_exception(std::exchange(failure_, nullptr));
}

void VcpuPool::resume() {
    {
        const std::lock_guard guard(mutex_);
        wish_ = Wish::run;
    }
    changed_.notify_all();
}

void VcpuPool::set_wish(Wish wish) noexcept {
    {
        const std::lock_guard guard(mutex_);
        if (wish_ == Wish::end)
            return;
        wish_ = wish;
        kick_all();
    }
    changed_.notify_all();
}

/// The mutex is held, so that no vCPU clears its exit request at the same time.
void VcpuPool::kick(std::size_t index) noexcept {
    vcpus_[index]->request_exit();
    ::pthread_kill(threads_[index].native_handle(), kick_signal());
}

void VcpuPool::kick_all() noexcept {
    for (std::size_t i = 0; i < threads_.size(); ++i)
        kick(i);
}

void VcpuPool::raise_smi(SmiTarget target) noexcept {
    const std::lock_guard guard(mutex_);
    const auto own = [&] {
        for (std::size_t i = 0; i < threads_.size(); ++i) {
            if (threads_[i].get_id() == std::this_thread::get_id())
                return i;
        }
        return threads_.size();
    }();
    const bool all = target == SmiTarget::all_processors;
    const std::size_t single = own < threads_.size() ? own : 0;
    for (std::size_t i = 0; i < threads_.size(); ++i) {
        if (!all && i != single)
            continue;
        counters_[i]->smi.store(true, std::memory_order_release);
        if (i != own) // which looks before it enters the guest again
            kick(i);
    }
}

void VcpuPool::park() {
    set_wish(Wish::park);
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return resting_ == threads_.size(); });
}

void VcpuPool::tell_paused() noexcept {
    for (const auto& vcpu : vcpus_)
        vcpu->tell_paused();
}

void VcpuPool::request_park() noexcept {
    set_wish(Wish::park);
}

void VcpuPool::stop() noexcept {
    set_wish(Wish::end);
    for (std::thread& thread : threads_)
        thread.join();
    const std::lock_guard guard(mutex_); // set_intr() looks at them
    threads_.clear();
    vcpus_.clear();
    wish_ = Wish::park;
    resting_ = unprepared_ = 0;
    failure_ = nullptr;
    held_vector_.reset();
}

void VcpuPool::set_controllers(EndOfInterruptListener& ioapic,
                               InterruptAcknowledger& pic) noexcept {
    ioapic_ = &ioapic;
    pic_ = &pic;
}

void VcpuPool::set_intr(bool asserted) noexcept {
    intr_.store(asserted, std::memory_order_release);
    if (!asserted)
        return;
    const std::lock_guard guard(mutex_);
    // The boot processor's own thread looks before it enters the guest again.
    if (threads_.empty() || threads_.front().get_id() == std::this_thread::get_id())
        return;
    kick(0);
}

void VcpuPool::offer_interrupt(Vcpu& vcpu) noexcept {
    if ((held_vector_ || intr_.load(std::memory_order_acquire)) && vcpu.takes_interrupt()) {
        const std::uint8_t vector = held_vector_ ? *held_vector_ : pic_->acknowledge();
        held_vector_.reset();
        if (!vcpu.inject(vector))
            held_vector_ = vector;
    }
    vcpu.ask_for_interrupt_window(held_vector_ || intr_.load(std::memory_order_acquire));
}

bool VcpuPool::wanted(Vcpu& vcpu) noexcept {
    const std::lock_guard guard(mutex_);
    // A wish to park may have been taken back before this vCPU saw it.
    if (wish_ == Wish::run)
        vcpu.clear_exit_request();
    return wish_ == Wish::run;
}

bool VcpuPool::rest(Vcpu& vcpu) {
    std::unique_lock lock(mutex_);
    ++resting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return wish_ != Wish::park; });
    --resting_;
    vcpu.clear_exit_request();
    return wish_ == Wish::run;
}

void VcpuPool::carry_out_io(const GuestAccess& access) noexcept {
    std::byte* data = access.data;
    for (std::uint32_t i = 0; i < access.count; ++i, data += access.width) {
        std::uint64_t value = 0;
        if (access.is_write) {
            std::memcpy(&value, data, access.width);
            bus_.write(BusKind::pio, access.address, access.width, value, access.in_smm);
            wiring_.rang(true, access.address, access.width, value);
        } else {
            bus_.read(BusKind::pio, access.address, access.width, value, access.in_smm);
            std::memcpy(data, &value, access.width);
        }
    }
}

void VcpuPool::carry_out_mmio(const GuestAccess& access) noexcept {
    std::uint64_t value = 0;
    if (access.is_write) {
        std::memcpy(&value, access.data, access.width);
        bus_.write(BusKind::mmio, access.address, access.width, value, access.in_smm);
        wiring_.rang(false, access.address, access.width, value);
    } else {
        bus_.read(BusKind::mmio, access.address, access.width, value, access.in_smm);
        std::memcpy(access.data, &value, access.width);
    }
}

ExitCounts VcpuPool::exit_counts() const noexcept {
    ExitCounts sum;
    const auto add = [](std::uint64_t& to, const std::atomic<std::uint64_t>& from) {
        to += from.load(std::memory_order_relaxed);
    };
    for (const auto& counters : counters_) {
        add(sum.io_in, counters->reads[static_cast<std::size_t>(BusKind::pio)]);
        add(sum.io_out, counters->writes[static_cast<std::size_t>(BusKind::pio)]);
        add(sum.mmio_read, counters->reads[static_cast<std::size_t>(BusKind::mmio)]);
        add(sum.mmio_write, counters->writes[static_cast<std::size_t>(BusKind::mmio)]);
    }
    return sum;
}

void VcpuPool::thread_main(Vcpu& vcpu, Counters& counters) noexcept {
    char name[16];
    std::snprintf(name, sizeof name, "vcpu%u", vcpu.index());
    ::pthread_setname_np(::pthread_self(), name);
    if (!rest(vcpu))
        return;
    if (vcpu.index() == 0)
        milestones_.reached(Milestone::first_run);
    const bool has_intr_pin = pic_ != nullptr && vcpu.index() == 0;
    for (;;) {
        if (counters.smi.load(std::memory_order_relaxed) && counters.smi.exchange(false))
            vcpu.raise_smi();
        if (has_intr_pin)
            offer_interrupt(vcpu);
        const ExitKind kind = vcpu.run();
        switch (kind) {
        case ExitKind::io:
            counters.count(BusKind::pio, vcpu.access().is_write);
            carry_out_io(vcpu.access());
            break;
        case ExitKind::mmio:
            counters.count(BusKind::mmio, vcpu.access().is_write);
            carry_out_mmio(vcpu.access());
            break;
        case ExitKind::end_of_interrupt:
            ioapic_->end_of_interrupt(vcpu.ended_vector());
            break;
        case ExitKind::interrupt_window:
            break;
        case ExitKind::interrupted:
            if (!wanted(vcpu) && !rest(vcpu))
                return;
            break;
        case ExitKind::shutdown:
        case ExitKind::failure:
            on_stop_({kind, vcpu.emulation_failed(), vcpu.describe_failure(kind, memory_)});
            set_wish(Wish::park);
            if (!rest(vcpu))
                return;
            break;
        case ExitKind::reset_event:
        case ExitKind::poweroff_event:
            on_stop_({kind, false, {}});
            set_wish(Wish::park);
            if (!rest(vcpu))
                return;
            break;
        }
    }
}

} // namespace coldstart
