// System management mode, recorded: the interrupts a chipset asked for.
#pragma once

#include "vmm/base/smm.h"

#include <atomic>

namespace coldstart::fakes {

class FakeSmm final : public SystemManagement {
  public:
    void raise_smi(SmiTarget target) noexcept override {
        ++(target == SmiTarget::all_processors ? to_all : to_one);
    }

    std::atomic<unsigned> to_one = 0, to_all = 0;
};

} // namespace coldstart::fakes
