// The KVM capabilities that make a difference to a guest, for doctor.
#pragma once

#include <span>
#include <string_view>

namespace coldstart {

struct Capability {
    int number = 0; ///< KVM_CAP_
    const char* name = "";
    const char* purpose = ""; ///< what is lost without it
};

std::span<const Capability> known_capabilities() noexcept;

} // namespace coldstart
