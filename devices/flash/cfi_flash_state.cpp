// The saved state of a flash.
#include "devices/flash/cfi_flash.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace coldstart {

using namespace flash;

// The contents belong to the state of a flash that can be written: a guest restored without them
// would find variables changed behind its back. Those of a read-only one are the firmware's.
void CfiFlash::save(StateWriter& writer) const {
    const std::lock_guard guard(lock_);
    const auto& [mode, cycle, status, buffer_left, buffer_base, buffer, locked] = state_;
    writer.begin("cfi-flash", 1);
    writer.fields(mode, cycle, status, buffer_left, buffer_base, buffer);
    writer.put_bytes(std::as_bytes(std::span(locked)));
    writer.put(static_cast<std::uint64_t>(contents().size()));
    writer.put(store_->read_only());
    if (!store_->read_only())
        writer.put_bytes(contents());
}

CfiFlash::State CfiFlash::read_state(StateReader& reader) const {
    State loaded;
    auto& [mode, cycle, status, buffer_left, buffer_base, buffer, locked] = loaded;
    reader.begin("cfi-flash", 1);
    reader.fields(mode, cycle, status, buffer_left, buffer_base, buffer);
    const std::vector<std::byte> locks = reader.get_bytes();
    std::uint64_t size = 0;
    bool read_only = false;
    reader.fields(size, read_only);
    if (size != contents().size() || read_only != store_->read_only())
        throw Error(cat("saved state: has a flash of ", size, " bytes where ", store_->name(),
                        " has ", contents().size()),
                    "start with the same firmware files");
    const bool lock_bits =
        locks.size() == state_.locked.size() &&
        std::all_of(locks.begin(), locks.end(), [](std::byte bit) { return bit <= std::byte{1}; });
    // Only in status mode is a sequence under way.
    if (mode > Mode::query || cycle > Cycle::buffer_confirm || !lock_bits ||
        (status & ~status_bits) != 0 || buffer_base % buffer_bytes != 0 || buffer_base >= size ||
        (cycle != Cycle::command && mode != Mode::status))
        throw Error("saved state: flash registers hold impossible values", "the file is damaged");
    locked.resize(locks.size());
    std::memcpy(locked.data(), locks.data(), locks.size());
    return loaded;
}

void CfiFlash::restore(StateReader& reader) {
    State loaded = read_state(reader);
    std::vector<std::byte> saved;
    if (!store_->read_only())
        saved = reader.get_bytes();
    if (!store_->read_only() && saved.size() != contents().size())
        throw Error("saved state: flash contents are not of the flash's size",
                    "the file is damaged");
    const std::lock_guard guard(lock_);
    state_ = std::move(loaded);
    replace_contents(saved);
    sync();
}

void CfiFlash::replace_contents(ByteView saved) noexcept {
    for (std::uint64_t block = 0; block * block_bytes < saved.size(); ++block) {
        const ByteView wanted = saved.subspan(block * block_bytes, block_bytes);
        if (std::memcmp(wanted.data(), block_contents(block).data(), block_bytes) == 0)
            continue;
        if (store_block(block, wanted, 0, block_bytes))
            continue;
        // What the guest goes on with counts; the store gets it with the next write or at the end.
        std::memcpy(block_contents(block).data(), wanted.data(), block_bytes);
    }
}

} // namespace coldstart
