// How a device moves its own regions, when the guest tells it to: a PCI BAR, a base register of a
// chipset. The machine implements it: bus, doorbells and directly shown memory follow.
#pragma once

#include <cstdint>

namespace coldstart {

class Device;

class RegionPlacer {
  public:
    virtual ~RegionPlacer() = default;

    /// Shows region `region` of `device` at `base` (port or GPA), from wherever it was. False when
    /// the place is taken or not there: the region is then nowhere. Any thread; a leaf: `device`
    /// may hold its lock, and none of its handlers is called.
    virtual bool place(Device& device, unsigned region, std::uint64_t base) noexcept = 0;
    /// Takes the region off the bus; nothing when it is nowhere.
    virtual void withdraw(Device& device, unsigned region) noexcept = 0;

    /// Whether the guest sees RegionShape::memory of the region directly, as it does at first, or
    /// every access comes to the device: a flash that answers something else for the moment. Holds
    /// where the region stands now and wherever it is placed later. A leaf, as place() is.
    virtual void show_memory(Device& device, unsigned region, bool shown) noexcept = 0;
};

} // namespace coldstart
