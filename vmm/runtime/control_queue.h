// What can happen to a running machine, in the order in which it happened, for the one thread
// that acts on it. Threads: post from any; wait_until from the control thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace coldstart {

enum class ControlKind : std::uint8_t {
    guest_powered_off, ///< the guest entered S5
    guest_reset,       ///< the guest asked for a reset
    guest_exited,      ///< the guest chose the exit status: `number`
    guest_panicked,    ///< the guest said so through pvpanic
    triple_fault,      ///< a vCPU shut down: `text` has the dump
    vcpu_failed,       ///< a vCPU can't go on: `text` has the dump
    reset_button,      ///< the host presses it: from power-on state again
    power_button,      ///< the host presses the button; `number` is the signal behind it, or 0
    pause_or_resume,   ///< the host stops the guest where it is, or lets it go on
    stop, ///< the host ends the machine at once; `number` is the signal behind it, or 0
    call, ///< `call` is to be made on the control thread
};

struct ControlEvent {
    ControlKind kind = ControlKind::stop;
    int number = 0;
    std::string text = {};
    std::function<void()> call = {};
};

class ControlQueue {
  public:
    using TimePoint = std::chrono::steady_clock::time_point;

    void post(ControlEvent event) {
        {
            const std::lock_guard guard(mutex_);
            events_.push_back(std::move(event));
        }
        posted_.notify_one();
    }

    /// The oldest event, or nothing once `deadline` (if any) has passed.
    std::optional<ControlEvent> wait_until(std::optional<TimePoint> deadline) {
        std::unique_lock lock(mutex_);
        const auto ready = [this] { return !events_.empty(); };
        if (!deadline)
            posted_.wait(lock, ready);
        else if (!posted_.wait_until(lock, *deadline, ready))
            return std::nullopt;
        ControlEvent event = std::move(events_.front());
        events_.pop_front();
        return event;
    }

    /// Forgets what the guest wished for before a reset took effect; the host's wishes stand.
    void forget_guest_events() {
        const std::lock_guard guard(mutex_);
        std::erase_if(events_, [](const ControlEvent& event) {
            return event.kind == ControlKind::guest_powered_off ||
                   event.kind == ControlKind::guest_reset ||
                   event.kind == ControlKind::guest_panicked ||
                   event.kind == ControlKind::guest_exited ||
                   event.kind == ControlKind::triple_fault ||
                   event.kind == ControlKind::vcpu_failed;
        });
    }

  private:
    std::mutex mutex_;
    std::condition_variable posted_;
    std::deque<ControlEvent> events_;
};

} // namespace coldstart
