// What firmware and chipset agree about system management interrupts, through files of fw_cfg: the
// firmware writes the bits it wants to "etc/smi/requested-features" and selects
// "etc/smi/features-ok", which reads 1 if it gets them; they hold until the next reset.
// Source: QEMU, docs/specs/ and hw/isa/lpc_ich9.c (smi_features_ok_callback).
#pragma once

#include <cstdint>

namespace coldstart {

class SmiFeatures {
  public:
    /// An SMI by port 0xb2 goes to all processors, not only to the one that wrote.
    static constexpr std::uint64_t broadcast = 1u << 0;
    /// CPU hot-plug (bits 1 and 2) is not offered.
    static constexpr std::uint64_t offered = broadcast;

    virtual ~SmiFeatures() = default;

    // Any thread.
    /// Without effect once settled.
    virtual void request_smi_features(std::uint64_t features) noexcept = 0;
    /// Whether what was requested holds now.
    virtual bool settle_smi_features() noexcept = 0;
};

} // namespace coldstart
