// Where each device's regions stand now: on the bus, with their doorbells, and as directly shown
// memory. Boards place regions once; guests move PCI BARs and chipset base registers.
//
// Threads: place, withdraw and show_memory from any, one at a time behind a mutex; no device is called.
#pragma once

#include "devices/core/region_placer.h"
#include "vmm/base/irq_router.h"
#include "vmm/base/memory_mapper.h"
#include "vmm/machine/bus.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <utility>

namespace coldstart {

class Placements final : public RegionPlacer {
  public:
    /// `doorbells` and `mapper` may be absent: kicks come as writes, memory goes by the bus. Both
    /// outlive this.
    Placements(Bus& bus, DoorbellRegistry* doorbells, MemoryMapper* mapper)
        : bus_(bus), doorbells_(doorbells), mapper_(mapper) {}

    bool place(Device& device, unsigned region, std::uint64_t base) noexcept override;
    void withdraw(Device& device, unsigned region) noexcept override;
    void show_memory(Device& device, unsigned region, bool shown) noexcept override;

    /// As place(), for the board: throws Error saying what is in the way.
    void place_or_throw(Device& device, unsigned region, std::uint64_t base);

  private:
    void ring(Device& device, unsigned region, std::uint64_t base, bool attach) noexcept;
    void show_placed(Device& device, unsigned region, std::uint64_t base) noexcept;
    void hide_placed(Device& device, unsigned region, std::uint64_t base) noexcept;
    void withdraw_locked(Device& device, unsigned region) noexcept;

    Bus& bus_;
    DoorbellRegistry* doorbells_;
    MemoryMapper* mapper_;
    std::mutex mutex_;
    std::map<std::pair<const Device*, unsigned>, std::uint64_t> bases_;
    std::set<std::pair<const Device*, unsigned>> hidden_; ///< by show_memory(), placed or not
    std::set<std::pair<const Device*, unsigned>> shown_;  ///< what the mapper shows now
};

} // namespace coldstart
