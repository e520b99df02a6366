#include "vmm/machine/placements.h"

#include "vmm/base/error.h"
#include "vmm/base/log.h"

namespace coldstart {

bool Placements::place(Device& device, unsigned region, std::uint64_t base) noexcept {
    const std::lock_guard guard(mutex_);
    withdraw_locked(device, region);
    if (!bus_.try_add(device, region, base))
        return false;
    bases_[{&device, region}] = base;
    show_placed(device, region, base);
    ring(device, region, base, true);
    return true;
}

void Placements::place_or_throw(Device& device, unsigned region, std::uint64_t base) {
    const std::lock_guard guard(mutex_);
    bus_.add(device, region, base);
    bases_[{&device, region}] = base;
    show_placed(device, region, base);
    ring(device, region, base, true);
}

void Placements::withdraw(Device& device, unsigned region) noexcept {
    const std::lock_guard guard(mutex_);
    withdraw_locked(device, region);
}

void Placements::withdraw_locked(Device& device, unsigned region) noexcept {
    const auto found = bases_.find({&device, region});
    if (found == bases_.end())
        return;
    const std::uint64_t base = found->second;
    bases_.erase(found);
    ring(device, region, base, false);
    hide_placed(device, region, base);
    bus_.remove(device.regions()[region].bus, base);
}

void Placements::show_memory(Device& device, unsigned region, bool shown) noexcept {
    const std::lock_guard guard(mutex_);
    const auto placed = bases_.find({&device, region});
    if (shown && hidden_.erase({&device, region}) != 0 && placed != bases_.end())
        show_placed(device, region, placed->second);
    if (!shown && hidden_.insert({&device, region}).second && placed != bases_.end())
        hide_placed(device, region, placed->second);
}

void Placements::show_placed(Device& device, unsigned region, std::uint64_t base) noexcept {
    const RegionShape shape = device.regions()[region];
    // Where it can't be shown the bus serves it, access by access.
    const bool wanted = shape.memory != nullptr && hidden_.count({&device, region}) == 0;
    if (wanted && mapper_ != nullptr &&
        mapper_->show(Gpa(base), {shape.memory, shape.size_bytes}, shape.memory_access))
        shown_.insert({&device, region});
}

void Placements::hide_placed(Device& device, unsigned region, std::uint64_t base) noexcept {
    // Only what stands there because of us: the guest may have put a BAR over its own RAM.
    if (shown_.erase({&device, region}) != 0)
        mapper_->hide(Gpa(base));
}

void Placements::ring(Device& device, unsigned region, std::uint64_t base, bool attach) noexcept {
    if (doorbells_ == nullptr)
        return;
    const bool pio = device.regions()[region].bus == BusKind::pio;
    for (const Doorbell& bell : device.doorbells()) {
        if (bell.region != region)
            continue;
        const std::uint64_t address = base + bell.offset;
        if (!attach) {
            doorbells_->detach(pio, address, bell.width, bell.value, bell.event_fd);
            continue;
        }
        try {
            doorbells_->attach(pio, address, bell.width, bell.value, bell.event_fd);
        } catch (const Error&) {
            // The kick then comes as an ordinary write: slower, and right.
        }
    }
}

} // namespace coldstart
