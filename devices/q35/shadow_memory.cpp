#include "devices/q35/shadow_memory.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>

namespace coldstart {

using namespace q35;

namespace {

constexpr std::uint64_t page_bytes = 4096;
constexpr std::size_t bios_segments = 4; // of PAM0: 64 KiB at 0xf0000

} // namespace

ShadowMemory::ShadowMemory(MemoryMapper& mapper, std::span<std::byte> ram, std::span<std::byte> rom)
    : mapper_(mapper), ram_(ram), rom_(rom) {
    if ((!ram.empty() && ram.size() != size_bytes) || rom.size() > size_bytes ||
        rom.size() % page_bytes != 0)
        throw Error(cat("memory at ", hex(base.value), ": ", ram.size(), " bytes of RAM and ",
                        rom.size(), " of ROM; want ", size_bytes, ", and whole pages up to that"));
    replace_plan(plan());
}

ShadowMemory::~ShadowMemory() {
    replace_plan({});
}

void ShadowMemory::apply(const Pam& pam) noexcept {
    const std::lock_guard guard(lock_);
    for (std::size_t i = 0; i < segments - bios_segments; ++i) {
        const unsigned both = pam[1 + i / 2];
        attributes_[i] = static_cast<std::uint8_t>((i % 2 == 0 ? both : both >> 4) & 3);
    }
    for (std::size_t i = segments - bios_segments; i < segments; ++i)
        attributes_[i] = static_cast<std::uint8_t>(pam[0] >> 4 & 3);
    replace_plan(plan());
}

void ShadowMemory::Plan::add(std::uint64_t offset, std::uint64_t size, View view) noexcept {
    if (size == 0 || view == View::nothing)
        return;
    if (count != 0) {
        Run& last = runs[count - 1];
        if (last.view == view && last.offset + last.size == offset) {
            last.size += size;
            return;
        }
    }
    runs[count++] = {.offset = offset, .size = size, .view = view, .is_shown = false};
}

ShadowMemory::Run* ShadowMemory::Plan::find(const Run& wanted) noexcept {
    const auto end = runs.begin() + static_cast<std::ptrdiff_t>(count);
    const auto found =
        std::find_if(runs.begin(), end, [&](const Run& run) { return run.same_place(wanted); });
    return found == end ? nullptr : &*found;
}

ShadowMemory::Plan ShadowMemory::plan() const noexcept {
    Plan next;
    for (std::size_t i = 0; i < segments; ++i) {
        const std::uint64_t offset = i * segment_bytes;
        if ((attributes_[i] & pam_reads_ram) != 0) {
            const bool writable = (attributes_[i] & pam_writes_ram) != 0;
            const View view = writable ? View::ram : View::ram_read_only;
            next.add(offset, segment_bytes, ram_.empty() ? View::nothing : view);
            continue;
        }
        const std::uint64_t from = std::max(offset, rom_offset());
        const std::uint64_t end = offset + segment_bytes;
        next.add(from, end > from ? end - from : 0, View::rom);
    }
    return next;
}

// The old goes first: a page can't be shown twice. The guest's CPU that wrote the register waits
// for us; another one that runs here meanwhile exits into read() and write().
void ShadowMemory::replace_plan(Plan next) noexcept {
    for (std::size_t i = 0; i < current_.count; ++i) {
        const Run& old = current_.runs[i];
        if (!old.is_shown)
            continue;
        if (Run* const same = next.find(old))
            same->is_shown = true;
        else
            mapper_.hide(base + old.offset);
    }
    for (std::size_t i = 0; i < next.count; ++i) {
        Run& run = next.runs[i];
        run.is_shown = run.is_shown || show(run);
    }
    current_ = next;
}

bool ShadowMemory::show(const Run& run) noexcept {
    if (run.view == View::rom)
        return mapper_.show(base + run.offset, rom_.subspan(run.offset - rom_offset(), run.size),
                            MemoryAccess::read_only);
    return mapper_.show(base + run.offset, ram_.subspan(run.offset, run.size),
                        run.view == View::ram ? MemoryAccess::read_write : MemoryAccess::read_only);
}

std::uint64_t ShadowMemory::read(std::uint64_t offset, unsigned width) noexcept {
    const std::lock_guard guard(lock_);
    std::uint64_t value = 0;
    for (unsigned i = 0; i < width; ++i) {
        const std::uint64_t at = offset + i;
        std::byte byte{0xff};
        if ((attributes_[at / segment_bytes] & pam_reads_ram) != 0) {
            if (!ram_.empty())
                byte = ram_[at];
        } else if (at >= rom_offset()) {
            byte = rom_[at - rom_offset()];
        }
        value |= std::to_integer<std::uint64_t>(byte) << (i * 8);
    }
    return value;
}

void ShadowMemory::write(std::uint64_t offset, unsigned width, std::uint64_t value) noexcept {
    const std::lock_guard guard(lock_);
    for (unsigned i = 0; i < width; ++i) {
        const std::uint64_t at = offset + i;
        if ((attributes_[at / segment_bytes] & pam_writes_ram) != 0 && !ram_.empty())
            ram_[at] = static_cast<std::byte>(value >> (i * 8));
    }
}

} // namespace coldstart
