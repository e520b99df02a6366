// fw_cfg's first reads as milestones, by the names of files and of what is known by number.
// Threads: item_read on vCPU threads; it allocates nothing.
#pragma once

#include "devices/fw_cfg/fw_cfg_items.h"
#include "vmm/base/milestone.h"

#include <cstdint>
#include <string_view>

namespace coldstart {

/// "kernel size"; empty when the key has no name.
std::string_view fw_cfg_key_name(std::uint16_t key) noexcept;

class FwCfgMilestones final : public FwCfgObserver {
  public:
    /// `milestones` outlives it.
    explicit FwCfgMilestones(MilestoneSink& milestones) : milestones_(milestones) {}

    void item_read(std::uint16_t key, std::string_view name,
                   std::uint64_t now_ns) noexcept override;

  private:
    MilestoneSink& milestones_;
};

} // namespace coldstart
