#include "devices/core/pci/msix.h"

#include "vmm/base/bytes.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <cassert>

namespace coldstart {
namespace {

constexpr std::uint16_t control_enable = 1u << 15;
constexpr std::uint16_t control_mask_all = 1u << 14;
constexpr std::uint32_t vector_masked = 1;

} // namespace

MsixTable::MsixTable(MsiRouter& router, unsigned vectors) : entries_(vectors) {
    assert(vectors >= 1 && vectors <= max_vectors);
    for (Entry& entry : entries_)
        entry.line = router.make_msi();
}

void MsixTable::set_control(std::uint16_t control) noexcept {
    const std::lock_guard guard(mutex_);
    enabled_.store((control & control_enable) != 0, std::memory_order_release);
    all_masked_ = (control & control_mask_all) != 0;
    for (Entry& entry : entries_)
        send_if_possible(entry);
}

void MsixTable::send_if_possible(Entry& entry) noexcept {
    if (!entry.pending || all_masked_ || !enabled() || (entry.control & vector_masked) != 0)
        return;
    entry.pending = false;
    entry.line->send();
}

std::uint32_t MsixTable::read_word(std::uint64_t offset) const noexcept {
    const Entry& entry = entries_[offset / entry_bytes];
    switch (offset % entry_bytes / 4) {
    case 0:
        return static_cast<std::uint32_t>(entry.message.address);
    case 1:
        return static_cast<std::uint32_t>(entry.message.address >> 32);
    case 2:
        return entry.message.data;
    default:
        return entry.control;
    }
}

void MsixTable::write_word(std::uint64_t offset, std::uint32_t value) noexcept {
    Entry& entry = entries_[offset / entry_bytes];
    const MsiMessage before = entry.message;
    switch (offset % entry_bytes / 4) {
    case 0:
        entry.message.address =
            (entry.message.address & ~std::uint64_t{0xffffffff}) | (value & ~3u);
        break;
    case 1:
        entry.message.address = (entry.message.address & 0xffffffff) | std::uint64_t{value} << 32;
        break;
    case 2:
        entry.message.data = value;
        break;
    default:
        entry.control = value & vector_masked;
        break;
    }
    // A masked entry may be half written: the line hears of it when it counts.
    const bool unmasked = (entry.control & vector_masked) == 0;
    if (unmasked && (entry.message != before || offset % entry_bytes == 12))
        entry.line->set_message(entry.message);
    send_if_possible(entry);
}

std::uint64_t MsixTable::read_table(std::uint64_t offset, unsigned width) noexcept {
    if ((width != 4 && width != 8) || offset % width != 0 ||
        !range_inside(offset, width, table_bytes()))
        return ~std::uint64_t{0};
    const std::lock_guard guard(mutex_);
    std::uint64_t value = read_word(offset);
    if (width == 8)
        value |= std::uint64_t{read_word(offset + 4)} << 32;
    return value;
}

void MsixTable::write_table(std::uint64_t offset, unsigned width, std::uint64_t value) noexcept {
    if ((width != 4 && width != 8) || offset % width != 0 ||
        !range_inside(offset, width, table_bytes()))
        return;
    const std::lock_guard guard(mutex_);
    write_word(offset, static_cast<std::uint32_t>(value));
    if (width == 8)
        write_word(offset + 4, static_cast<std::uint32_t>(value >> 32));
}

std::uint64_t MsixTable::read_pending(std::uint64_t offset, unsigned width) noexcept {
    if ((width != 4 && width != 8) || offset % width != 0 ||
        !range_inside(offset, width, pending_bytes()))
        return ~std::uint64_t{0};
    const std::lock_guard guard(mutex_);
    std::uint64_t bits = 0;
    for (unsigned i = 0; i < width * 8; ++i) {
        const std::uint64_t vector = offset * 8 + i;
        if (vector < entries_.size() && entries_[vector].pending)
            bits |= std::uint64_t{1} << i;
    }
    return bits;
}

void MsixTable::notify(unsigned vector) noexcept {
    if (vector >= entries_.size() || !enabled())
        return;
    const std::lock_guard guard(mutex_);
    entries_[vector].pending = true;
    send_if_possible(entries_[vector]);
}

void MsixTable::reset() noexcept {
    const std::lock_guard guard(mutex_);
    enabled_.store(false, std::memory_order_release);
    all_masked_ = false;
    for (Entry& entry : entries_) {
        entry.message = {};
        entry.control = vector_masked;
        entry.pending = false;
    }
}

void MsixTable::save(StateWriter& writer) const {
    const std::lock_guard guard(mutex_);
    writer.begin("msix", 1);
    writer.fields(vectors(), enabled(), all_masked_);
    for (const Entry& entry : entries_)
        writer.fields(entry.message.address, entry.message.data, entry.control, entry.pending);
}

void MsixTable::restore(StateReader& reader) {
    reader.begin("msix", 1);
    unsigned count = 0;
    bool is_enabled = false, masked = false;
    reader.fields(count, is_enabled, masked);
    if (count != vectors())
        throw Error(cat("saved state: MSI-X: ", count, " vectors, this machine has ", vectors()));
    std::vector<Entry> loaded(count);
    for (Entry& entry : loaded)
        reader.fields(entry.message.address, entry.message.data, entry.control, entry.pending);
    // Nothing throws from here on.
    const std::lock_guard guard(mutex_);
    for (unsigned vector = 0; vector < count; ++vector) {
        Entry& entry = entries_[vector];
        entry.message = loaded[vector].message;
        entry.control = loaded[vector].control & vector_masked;
        entry.pending = loaded[vector].pending;
        if (entry.control == 0)
            entry.line->set_message(entry.message);
    }
    enabled_.store(is_enabled, std::memory_order_release);
    all_masked_ = masked;
}

} // namespace coldstart
