// Processors that remember what interrupt controllers tell them.
#pragma once

#include "vmm/base/interrupt_controller.h"

#include <map>
#include <mutex>
#include <vector>

namespace coldstart::fakes {

class FakeProcessors final : public ProcessorInterrupts {
  public:
    void send(const MsiMessage& message) noexcept override {
        const std::lock_guard guard(mutex_);
        if (sent.size() < 1000) // a fuzzer sends without end
            sent.push_back(message);
    }
    void watch_level(unsigned pin, std::optional<MsiMessage> message) noexcept override {
        const std::lock_guard guard(mutex_);
        if (message)
            watched[pin] = *message;
        else
            watched.erase(pin);
    }
    void set_intr(bool asserted) noexcept override {
        const std::lock_guard guard(mutex_);
        intr = asserted;
    }

    std::vector<MsiMessage> sent;
    std::map<unsigned, MsiMessage> watched;
    bool intr = false;

  private:
    std::mutex mutex_;
};

} // namespace coldstart::fakes
