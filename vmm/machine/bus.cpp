#include "vmm/machine/bus.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <cassert>
#include <cinttypes>
#include <cstdio>
#include <string>

namespace coldstart {

namespace {

constexpr std::uint64_t last_port = 0xffff;

bool is_natural(unsigned width) noexcept {
    return width == 1 || width == 2 || width == 4 || width == 8;
}

std::uint64_t last_address(BusKind kind) noexcept {
    return kind == BusKind::pio ? last_port : ~std::uint64_t{0};
}

/// False when the shape at `base` is empty or leaves the address space.
bool make_region(Device& device, unsigned index, std::uint64_t base,
                 RegionTable::Region& made) noexcept {
    assert(index < device.regions().size());
    const RegionShape& shape = device.regions()[index];
    const std::uint64_t last_allowed = last_address(shape.bus);
    if (shape.size_bytes == 0 || base > last_allowed || shape.size_bytes - 1 > last_allowed - base)
        return false;
    made = {base, base + (shape.size_bytes - 1), &device, index};
    return true;
}

std::string describe(const RegionTable::Region& region) {
    const RegionShape& shape = region.device->regions()[region.index];
    return cat(region.device->type(), " \"", shape.name, "\" at ",
               shape.bus == BusKind::pio ? "ports " : "", hex(region.base), "-", hex(region.last));
}

} // namespace

void Bus::add(Device& device, unsigned region, std::uint64_t base) {
    RegionTable::Region made;
    if (!make_region(device, region, base, made))
        throw Error(cat(device.type(), ": region ", region, " at ", hex(base),
                        " is empty or leaves the address space"));
    RegionTable::Region other;
    switch (table(device.regions()[region].bus).add(made, other)) {
    case RegionTable::Outcome::conflict:
        throw Error(cat(describe(made), " overlaps ", describe(other)));
    case RegionTable::Outcome::full:
        throw Error(cat(describe(made), ": the bus is full, ", RegionTable::capacity,
                        " regions are the limit"));
    default:
        break;
    }
}

bool Bus::try_add(Device& device, unsigned region, std::uint64_t base) noexcept {
    RegionTable::Region made, other;
    return make_region(device, region, base, made) &&
           table(device.regions()[region].bus).add(made, other) == RegionTable::Outcome::done;
}

bool Bus::remove(BusKind kind, std::uint64_t base) noexcept {
    return table(kind).remove(base) == RegionTable::Outcome::done;
}

bool Bus::move(BusKind kind, std::uint64_t base, std::uint64_t new_base) noexcept {
    return table(kind).move(base, new_base, last_address(kind)) == RegionTable::Outcome::done;
}

bool Bus::read(BusKind kind, std::uint64_t address, unsigned width, std::uint64_t& out,
               bool in_smm) noexcept {
    if (is_natural(width))
        return read_once(kind, address, width, out, in_smm);
    out = 0;
    bool claimed = true;
    for (unsigned i = 0; i < std::min(width, 8u); ++i) {
        std::uint64_t byte = 0;
        claimed = read_once(kind, address + i, 1, byte, in_smm) && claimed;
        out |= byte << (i * 8);
    }
    return claimed;
}

bool Bus::write(BusKind kind, std::uint64_t address, unsigned width, std::uint64_t value,
                bool in_smm) noexcept {
    if (is_natural(width))
        return write_once(kind, address, width, value, in_smm);
    bool claimed = true;
    for (unsigned i = 0; i < std::min(width, 8u); ++i)
        claimed = write_once(kind, address + i, 1, value >> (i * 8), in_smm) && claimed;
    return claimed;
}

bool Bus::find(BusKind kind, std::uint64_t address, unsigned width,
               RegionTable::Region& found) noexcept {
    return table(kind).find(address, found) && width - 1 <= found.last - address;
}

bool Bus::read_once(BusKind kind, std::uint64_t address, unsigned width, std::uint64_t& out,
                    bool in_smm) noexcept {
    RegionTable::Region region;
    if (!find(kind, address, width, region)) {
        out = all_ones(width);
        log_unclaimed(kind, "read", address, width);
        return false;
    }
    Device& device = *region.device;
    const std::uint64_t offset = address - region.base;
    out = (in_smm ? device.read_in_smm(region.index, offset, width)
                  : device.read(region.index, offset, width)) &
          all_ones(width);
    return true;
}

bool Bus::write_once(BusKind kind, std::uint64_t address, unsigned width, std::uint64_t value,
                     bool in_smm) noexcept {
    RegionTable::Region region;
    if (!find(kind, address, width, region)) {
        log_unclaimed(kind, "write", address, width);
        return false;
    }
    Device& device = *region.device;
    const std::uint64_t offset = address - region.base;
    value &= all_ones(width);
    if (in_smm)
        device.write_in_smm(region.index, offset, width, value);
    else
        device.write(region.index, offset, width, value);
    return true;
}

void Bus::log_unclaimed(BusKind kind, const char* verb, std::uint64_t address,
                        unsigned width) noexcept {
    if (!log_enabled(LogLevel::debug) || !log_limiter_.allow())
        return;
    char line[96];
    const int length = std::snprintf(line, sizeof line, "unclaimed %s of %u bytes at %s0x%" PRIx64,
                                     verb, width, kind == BusKind::pio ? "port " : "", address);
    log_debug({line, static_cast<std::size_t>(length)});
}

} // namespace coldstart
