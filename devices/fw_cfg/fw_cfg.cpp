#include "devices/fw_cfg/fw_cfg.h"

#include "devices/fw_cfg/spec.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <utility>

namespace coldstart {

using namespace fw_cfg;

namespace {

constexpr std::array region_shapes = {RegionShape{"selector+data", BusKind::pio, 2},
                                      RegionShape{"dma", BusKind::pio, 8}};

template <typename T>
T swapped(T value) noexcept {
    if constexpr (sizeof(T) == 2)
        return __builtin_bswap16(value);
    else if constexpr (sizeof(T) == 4)
        return __builtin_bswap32(value);
    else
        return __builtin_bswap64(value);
}

template <typename T>
void append_be(std::vector<std::byte>& bytes, T value) {
    append_le(bytes, swapped(value));
}

std::vector<std::byte> text_bytes(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

FwCfgItem item_of(std::vector<std::byte> bytes) {
    FwCfgItem item;
    item.size_bytes = static_cast<std::uint32_t>(bytes.size());
    item.content = fw_cfg_bytes(std::move(bytes));
    return item;
}

std::vector<std::byte> directory_of(const FwCfgItems& items) {
    std::vector<std::byte> bytes;
    append_be(bytes, static_cast<std::uint32_t>(items.files().size()));
    std::uint16_t key = key_first_file;
    for (const auto& [name, item] : items.files()) {
        const std::size_t end = bytes.size() + directory_entry_bytes;
        append_be(bytes, item.size_bytes);
        append_be(bytes, key++);
        append_be(bytes, std::uint16_t{0});
        const auto text = text_bytes(name);
        bytes.insert(bytes.end(), text.begin(), text.end());
        bytes.resize(end);
    }
    return bytes;
}

} // namespace

FwCfg::FwCfg(const FwCfgItems& items, const GuestMemory& memory, const Clock& clock)
    : memory_(memory), clock_(clock), observer_(items.observer()) {
    std::vector<std::byte> features;
    append_le(features, id_traditional | id_dma);
    own_items_.push_back(item_of(text_bytes("QEMU")));
    own_items_.push_back(item_of(std::move(features)));
    own_items_.push_back(item_of(directory_of(items)));

    const auto add = [&](std::uint16_t key, const FwCfgItem& item) {
        Slot& slot = slots_.emplace_back();
        slot.key = key;
        slot.item = &item;
        fill_writable(slot);
    };
    add(key_signature, own_items_[0]);
    add(key_id, own_items_[1]);
    add(key_file_directory, own_items_[2]);
    for (const auto& [key, item] : items.numbered())
        add(key, item);
    std::uint16_t key = key_first_file;
    for (const auto& [name, item] : items.files())
        add(key++, item);
    std::ranges::sort(slots_, {}, &Slot::key);
}

void FwCfg::fill_writable(Slot& slot) {
    if (!slot.writable())
        return;
    slot.own.resize(slot.size());
    slot.item->content->read(0, slot.own);
}

std::span<const RegionShape> FwCfg::regions() const noexcept {
    return region_shapes;
}

AcpiDescription FwCfg::acpi() const {
    AcpiDescription description;
    description.name = "FWCF";
    description.hid = "QEMU0002";
    return description;
}

const FwCfg::Slot* FwCfg::find(std::uint16_t key) const noexcept {
    const auto wanted = static_cast<std::uint16_t>(key & ~key_write_bit);
    const auto found = std::ranges::lower_bound(slots_, wanted, {}, &Slot::key);
    return found != slots_.end() && found->key == wanted ? &*found : nullptr;
}

FwCfg::Slot* FwCfg::find(std::uint16_t key) noexcept {
    return const_cast<Slot*>(std::as_const(*this).find(key));
}

std::uint64_t FwCfg::read(unsigned region, std::uint64_t offset, unsigned width) noexcept {
    if (region == dma_region)
        return width > 4 ? all_ones(width) : dma_signature_le >> (offset * 8) & all_ones(width);
    if (offset != port_data || width != 1)
        return all_ones(width);
    const std::lock_guard guard(lock_);
    return read_data();
}

void FwCfg::write(unsigned region, std::uint64_t offset, unsigned width,
                  std::uint64_t value) noexcept {
    if (region == selector_region) {
        if (offset == port_selector && width == 2)
            select(static_cast<std::uint16_t>(value));
        return;
    }
    if (width != 4)
        return;
    const std::uint32_t half = swapped(static_cast<std::uint32_t>(value));
    std::uint64_t high = 0;
    {
        const std::lock_guard guard(lock_);
        if (offset == dma_address_high)
            state_.dma_high = half;
        else if (offset == dma_address_low)
            high = std::exchange(state_.dma_high, 0);
    }
    if (offset == dma_address_low)
        start_dma(Gpa(high << 32 | half));
}

/// Without the lock: a generator looks at other devices, which have locks of their own.
void FwCfg::select(std::uint16_t key) noexcept {
    const Slot* slot = find(key);
    std::shared_ptr<const Bytes> made;
    if (slot != nullptr && slot->item->generate)
        made = generate(*slot->item);
    const std::lock_guard guard(lock_);
    state_.key = key;
    state_.offset = 0;
    generated_ = std::move(made);
}

std::shared_ptr<const FwCfg::Bytes> FwCfg::generate(const FwCfgItem& item) noexcept {
    try {
        Bytes bytes = item.generate();
        if (bytes.size() > item.size_bytes && complaints_.allow())
            log_error(cat("fw_cfg: ", item.name, " came out at ", bytes.size(),
                          " bytes, the guest was told ", item.size_bytes));
        bytes.resize(item.size_bytes);
        return std::make_shared<const Bytes>(std::move(bytes));
    } catch (const std::exception& error) {
        if (complaints_.allow())
            log_error(cat("fw_cfg: can't make ", item.name, ": ", error.what()));
        return nullptr; // reads as zeros
    }
}

std::uint8_t FwCfg::read_data() noexcept {
    Slot* slot = find(state_.key);
    std::byte value{0};
    if (slot != nullptr && state_.offset < slot->size()) {
        if (!copy_out(*slot, std::span(&value, 1)))
            value = std::byte{0};
        ++state_.offset;
    }
    return std::to_integer<std::uint8_t>(value);
}

/// `out` is inside the item, from the current offset on.
bool FwCfg::copy_out(Slot& slot, std::span<std::byte> out) noexcept {
    if (!slot.seen && observer_ != nullptr)
        observer_->item_read(slot.key, slot.item->name, clock_.now_ns());
    slot.seen = true;
    if (slot.item->content && !slot.writable())
        return slot.item->content->read(state_.offset, out);
    const Bytes* bytes = slot.writable() ? &slot.own : generated_.get();
    if (bytes != nullptr)
        std::ranges::copy(std::span(*bytes).subspan(state_.offset, out.size()), out.begin());
    else
        std::ranges::fill(out, std::byte{0});
    return true;
}

void FwCfg::start_dma(Gpa descriptor) noexcept {
    std::array<std::byte, descriptor_bytes> raw{};
    std::uint32_t result = control_error;
    if (memory_.read(descriptor, raw)) {
        const Descriptor order{.control = swapped(load_le<std::uint32_t>(raw, descriptor_control)),
                               .length = swapped(load_le<std::uint32_t>(raw, descriptor_length)),
                               .address = swapped(load_le<std::uint64_t>(raw, descriptor_address))};
        if ((order.control & control_select) != 0)
            select(static_cast<std::uint16_t>(order.control >> control_key_shift));
        result = transfer(order);
    }
    if (result != 0 && complaints_.allow())
        log_warn(cat("fw_cfg: a transfer failed; its descriptor is at ", hex(descriptor.value)));
    memory_.store(descriptor + descriptor_control, swapped(result));
}

std::uint32_t FwCfg::transfer(const Descriptor& order) noexcept {
    bool done = true;
    if ((order.control & control_read) != 0)
        done = dma_read(order);
    else if ((order.control & control_write) != 0)
        done = dma_write(order);
    else if ((order.control & control_skip) != 0)
        dma_skip(order);
    return done ? 0 : control_error;
}

bool FwCfg::dma_read(const Descriptor& order) noexcept {
    if (order.length == 0)
        return true;
    const Gpa target(order.address);
    const std::span<std::byte> out = memory_.range(target, order.length);
    if (out.empty())
        return false;
    const std::lock_guard guard(lock_);
    Slot* slot = find(state_.key);
    std::uint32_t inside = 0;
    if (slot != nullptr)
        inside = std::min(order.length, slot->size() - state_.offset);
    bool done = true;
    if (inside != 0) {
        done = copy_out(*slot, out.first(inside));
        state_.offset += inside;
    }
    std::ranges::fill(out.subspan(inside), std::byte{0});
    return done;
}

bool FwCfg::dma_write(const Descriptor& order) noexcept {
    if (order.length == 0)
        return true;
    Bytes after;
    const FwCfgItem* item = nullptr;
    try {
        const std::lock_guard guard(lock_);
        Slot* slot = find(state_.key);
        if (slot == nullptr || !slot->writable() || order.length > slot->size() - state_.offset)
            return false;
        after = slot->own;
        if (!memory_.contains(Gpa(order.address), order.length))
            return false;
        memory_.read(Gpa(order.address), std::span(after).subspan(state_.offset, order.length));
        std::ranges::copy(after, slot->own.begin());
        state_.offset += order.length;
        item = slot->item;
    } catch (const std::bad_alloc&) {
        return false;
    }
    item->written(after);
    return true;
}

void FwCfg::dma_skip(const Descriptor& order) noexcept {
    const std::lock_guard guard(lock_);
    if (const Slot* slot = find(state_.key); slot != nullptr)
        state_.offset += std::min(order.length, slot->size() - state_.offset);
}

void FwCfg::reset() {
    const std::lock_guard guard(lock_);
    state_ = {};
    generated_.reset();
    for (Slot& slot : slots_) {
        slot.seen = false;
        fill_writable(slot);
    }
}

void FwCfg::save(StateWriter& writer) const {
    const std::lock_guard guard(lock_);
    writer.begin("fw-cfg", 1);
    const auto& [key, offset, dma_high] = state_;
    writer.fields(key, offset, dma_high);
    // What is being read goes along: made anew it could differ from the half the guest has.
    writer.put_bytes(generated_ ? ByteView(*generated_) : ByteView());
    for (const Slot& slot : slots_) {
        if (slot.writable())
            writer.put_bytes(slot.own);
    }
}

void FwCfg::restore(StateReader& reader) {
    reader.begin("fw-cfg", 1);
    State state;
    auto& [key, offset, dma_high] = state;
    reader.fields(key, offset, dma_high);
    Bytes made = reader.get_bytes();
    const Slot* selected = find(key);
    if (offset > (selected != nullptr ? selected->size() : 0))
        throw Error("fw_cfg: saved state points behind an item's end",
                    "restore with the kernel, initrd and firmware it was saved with");
    const bool generated = selected != nullptr && selected->item->generate;
    if (!made.empty() && (!generated || made.size() != selected->size()))
        throw Error("fw_cfg: saved state has content for an item that holds none");
    std::vector<Bytes> own;
    for (const Slot& slot : slots_) {
        if (!slot.writable())
            continue;
        if (own.emplace_back(reader.get_bytes()).size() != slot.size())
            throw Error(cat("fw_cfg: saved state has another size of ", slot.item->name));
    }

    const std::lock_guard guard(lock_);
    state_ = state;
    generated_ = made.empty() ? nullptr : std::make_shared<const Bytes>(std::move(made));
    auto next = own.begin();
    for (Slot& slot : slots_) {
        if (slot.writable())
            slot.own = std::move(*next++);
    }
}

} // namespace coldstart
