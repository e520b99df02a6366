#include "firmware-loaders/placement/placement.h"

#include "vmm/base/byte_size.h"
#include "vmm/base/bytes.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>

namespace coldstart {
namespace {

std::string describe(Gpa base, std::uint64_t size_bytes) {
    return cat(size_bytes, " bytes at ", hex(base.value));
}

} // namespace

bool Placement::is_ram(Gpa base, std::uint64_t size_bytes) const noexcept {
    const bool in_map = std::any_of(map_->begin(), map_->end(), [&](const MemoryMapEntry& entry) {
        return entry.kind == MemoryKind::ram && base >= entry.base &&
               range_inside(base - entry.base, size_bytes, entry.size_bytes);
    });
    return in_map && memory_->contains(base, size_bytes);
}

const LoadedPart* Placement::overlapping(Gpa base, std::uint64_t size_bytes) const noexcept {
    // Both ranges are known to lie in RAM, or at least not to wrap: the sums can't either.
    for (const LoadedPart& part : parts_) {
        if (base < part.base + part.size_bytes && part.base < base + size_bytes)
            return &part;
    }
    return nullptr;
}

bool Placement::is_free(Gpa base, std::uint64_t size_bytes) const noexcept {
    return is_ram(base, size_bytes) && overlapping(base, size_bytes) == nullptr;
}

void Placement::claim(const std::string& name, Gpa base, std::uint64_t size_bytes) {
    if (!is_ram(base, size_bytes))
        throw Error(cat(name, " (", describe(base, size_bytes), ") does not lie in guest RAM of ",
                        format_byte_size(memory_->size_bytes())),
                    "give the guest more with --memory");
    if (const LoadedPart* part = overlapping(base, size_bytes))
        throw Error(cat(name, " (", describe(base, size_bytes), ") overlaps ", part->name, " (",
                        describe(part->base, part->size_bytes), ")"));
    parts_.push_back({name, base, size_bytes});
}

std::optional<Gpa> Placement::highest(std::uint64_t size_bytes, std::uint64_t alignment,
                                      Gpa end) const noexcept {
    for (auto entry = map_->rbegin(); entry != map_->rend(); ++entry) {
        if (entry->kind != MemoryKind::ram)
            continue;
        std::uint64_t top = std::min(entry->end(), end).value;
        while (top >= size_bytes) {
            const Gpa base(align_down(top - size_bytes, alignment));
            if (base < entry->base)
                break;
            const LoadedPart* part = overlapping(base, size_bytes);
            if (part == nullptr && is_ram(base, size_bytes))
                return base;
            if (part == nullptr || part->base.value >= top)
                break;
            top = part->base.value;
        }
    }
    return std::nullopt;
}

std::optional<Gpa> Placement::lowest(std::uint64_t size_bytes, std::uint64_t alignment,
                                     Gpa start) const noexcept {
    for (const MemoryMapEntry& entry : *map_) {
        if (entry.kind != MemoryKind::ram || entry.end() <= start)
            continue;
        Gpa base(align_up(std::max(entry.base, start).value, alignment));
        while (base < entry.end() && is_ram(base, size_bytes)) {
            const LoadedPart* part = overlapping(base, size_bytes);
            if (part == nullptr)
                return base;
            base = Gpa(align_up(part->base.value + part->size_bytes, alignment));
        }
    }
    return std::nullopt;
}

} // namespace coldstart
