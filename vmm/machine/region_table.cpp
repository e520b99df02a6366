#include "vmm/machine/region_table.h"

#include <algorithm>

namespace coldstart {

// Memory order: slots are stored with release and loaded with acquire. A reader that sees a slot
// of a change therefore sees the counter's step that came before it, and its second look at the
// counter tells it to try again. On x86 all of these are plain moves. (Fences would do with
// relaxed slots, but ThreadSanitizer does not understand them.)

bool RegionTable::find(std::uint64_t address, Region& found) const noexcept {
    for (;;) {
        const std::uint64_t sequence = sequence_.load(std::memory_order_acquire);
        const bool hit = search(copies_[sequence & 1], address, found);
        if (sequence_.load(std::memory_order_relaxed) == sequence)
            return hit;
    }
}

bool RegionTable::search(const Copy& copy, std::uint64_t address, Region& found) noexcept {
    // The last slot whose base is not above the address. A copy under change may be unsorted for
    // a moment; the bounds hold nevertheless, and find() throws the answer away.
    std::size_t low = 0;
    std::size_t high = copy.count.load(std::memory_order_acquire);
    while (low < high) {
        const std::size_t middle = low + (high - low) / 2;
        if (copy.slots[middle].base.load(std::memory_order_acquire) <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return false;
    const Slot& slot = copy.slots[low - 1];
    found.base = slot.base.load(std::memory_order_acquire);
    found.last = slot.last.load(std::memory_order_acquire);
    found.device = slot.device.load(std::memory_order_acquire);
    found.index = slot.index.load(std::memory_order_acquire);
    return address >= found.base && address <= found.last;
}

RegionTable::Outcome RegionTable::add(const Region& region, Region& other) noexcept {
    const std::lock_guard guard(writer_);
    if (const Region* in_the_way = overlapping(region, nullptr)) {
        other = *in_the_way;
        return Outcome::conflict;
    }
    if (count_ == capacity)
        return Outcome::full;
    insert(region);
    publish();
    return Outcome::done;
}

RegionTable::Outcome RegionTable::remove(std::uint64_t base) noexcept {
    const std::lock_guard guard(writer_);
    Region* region = at_base(base);
    if (region == nullptr)
        return Outcome::absent;
    erase(region);
    publish();
    return Outcome::done;
}

RegionTable::Outcome RegionTable::move(std::uint64_t base, std::uint64_t new_base,
                                       std::uint64_t last_allowed) noexcept {
    const std::lock_guard guard(writer_);
    Region* region = at_base(base);
    if (region == nullptr)
        return Outcome::absent;
    Region moved = *region;
    moved.base = new_base;
    moved.last = new_base + (region->last - region->base);
    if (moved.last < moved.base || moved.last > last_allowed ||
        overlapping(moved, region) != nullptr)
        return Outcome::conflict;
    erase(region);
    insert(moved);
    publish();
    return Outcome::done;
}

RegionTable::Region* RegionTable::overlapping(const Region& region, const Region* except) noexcept {
    for (std::size_t i = 0; i < count_; ++i) {
        Region& other = regions_[i];
        if (&other != except && region.base <= other.last && other.base <= region.last)
            return &other;
    }
    return nullptr;
}

RegionTable::Region* RegionTable::at_base(std::uint64_t base) noexcept {
    for (std::size_t i = 0; i < count_; ++i) {
        if (regions_[i].base == base)
            return &regions_[i];
    }
    return nullptr;
}

void RegionTable::insert(const Region& region) noexcept {
    std::size_t position = count_++;
    for (; position > 0 && regions_[position - 1].base > region.base; --position)
        regions_[position] = regions_[position - 1];
    regions_[position] = region;
}

void RegionTable::erase(Region* region) noexcept {
    std::copy(region + 1, regions_.data() + count_, region);
    --count_;
}

void RegionTable::publish() noexcept {
    const std::uint64_t sequence = sequence_.load(std::memory_order_relaxed);
    sequence_.store(sequence + 1, std::memory_order_release); // readers: to the second copy
    fill(copies_[0]);
    sequence_.store(sequence + 2, std::memory_order_release); // readers: to the first
    fill(copies_[1]);
}

void RegionTable::fill(Copy& copy) const noexcept {
    for (std::size_t i = 0; i < count_; ++i) {
        copy.slots[i].base.store(regions_[i].base, std::memory_order_release);
        copy.slots[i].last.store(regions_[i].last, std::memory_order_release);
        copy.slots[i].device.store(regions_[i].device, std::memory_order_release);
        copy.slots[i].index.store(regions_[i].index, std::memory_order_release);
    }
    copy.count.store(count_, std::memory_order_release);
}

} // namespace coldstart
