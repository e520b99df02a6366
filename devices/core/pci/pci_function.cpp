#include "devices/core/pci/pci_function.h"

#include "vmm/base/error.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace coldstart {
namespace {

// Type 0 header, PCI 3.0 section 6.1.
namespace reg {
constexpr unsigned vendor_id = 0x00;
constexpr unsigned device_id = 0x02;
constexpr unsigned command = 0x04;
constexpr unsigned status = 0x06;
constexpr unsigned revision = 0x08;
constexpr unsigned cache_line_size = 0x0c;
constexpr unsigned latency_timer = 0x0d;
constexpr unsigned header_type = 0x0e;
constexpr unsigned first_bar = 0x10;
constexpr unsigned subsystem_vendor_id = 0x2c;
constexpr unsigned subsystem_id = 0x2e;
constexpr unsigned rom = 0x30;
constexpr unsigned interrupt_line = 0x3c;
constexpr unsigned interrupt_pin = 0x3d;
} // namespace reg

constexpr std::uint16_t command_io = 1u << 0;
constexpr std::uint16_t command_memory = 1u << 1;
constexpr std::uint16_t command_bus_master = 1u << 2;
constexpr std::uint16_t command_intx_disable = 1u << 10;
constexpr std::uint16_t command_writable = command_io | command_memory | command_bus_master |
                                           (1u << 6) /* parity */ | (1u << 8) /* SERR */ |
                                           command_intx_disable;
constexpr std::uint8_t status_interrupt = 1u << 3;
constexpr std::uint8_t status_capabilities = 1u << 4;

constexpr LineShape intx_line[] = {{.name = "intx"}};

std::uint32_t load(const std::uint8_t* bytes, unsigned width) noexcept {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < width; ++i)
        value |= std::uint32_t{bytes[i]} << (8 * i);
    return value;
}

void store(std::uint8_t* bytes, unsigned width, std::uint32_t value) noexcept {
    for (unsigned i = 0; i < width; ++i)
        bytes[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

bool touches(unsigned offset, unsigned width, unsigned first, unsigned bytes) noexcept {
    return offset < first + bytes && first < offset + width;
}

bool valid(unsigned offset, unsigned width) noexcept {
    return (width == 1 || width == 2 || width == 4) && offset % 4 + width <= 4 &&
           offset < PciFunction::config_bytes;
}

} // namespace

PciFunction::PciFunction(const PciIdentity& identity, RegionPlacer& placer, IrqLine* intx)
    : identity_(identity), placer_(placer), intx_(identity.interrupt_pin != 0 ? intx : nullptr) {
    assert(identity.interrupt_pin <= 4);
    define(reg::vendor_id, 2, identity.vendor_id);
    define(reg::device_id, 2, identity.device_id);
    define(reg::command, 2, 0, command_writable);
    define_write_one_to_clear(reg::status, 2, 0xf900);
    define(reg::revision, 4, identity.revision | identity.class_code << 8);
    define(reg::cache_line_size, 1, 0, 0xff);
    define(reg::latency_timer, 1, 0, 0xf8);
    define(reg::subsystem_vendor_id, 2, identity.subsystem_vendor_id);
    define(reg::subsystem_id, 2, identity.subsystem_id);
    define(reg::interrupt_line, 1, 0, 0xff);
    define(reg::interrupt_pin, 1, identity.interrupt_pin);
}

std::span<const LineShape> PciFunction::lines() const noexcept {
    if (identity_.interrupt_pin == 0)
        return {};
    return intx_line;
}

unsigned PciFunction::add_bar(unsigned index, BarKind kind, const RegionShape& shape) {
    assert(std::has_single_bit(shape.size_bytes) && index <= rom_bar);
    assert(shape.memory == nullptr || shape.size_bytes % 4096 == 0 || kind == BarKind::rom);
    const auto region = static_cast<unsigned>(regions_.size());
    const unsigned offset = kind == BarKind::rom ? reg::rom : reg::first_bar + index * 4;
    regions_.push_back(shape);
    bars_.push_back({.kind = kind, .offset = offset, .region = region});
    const std::uint64_t mask = ~(shape.size_bytes - 1);
    const auto low_mask = static_cast<std::uint32_t>(mask);
    switch (kind) {
    case BarKind::io:
        // All 32 bits, although ports have 16: SeaBIOS sizes the BAR by the whole register.
        define(offset, 4, 1, low_mask & ~0x3u);
        break;
    case BarKind::memory32:
        define(offset, 4, 0, low_mask & ~0xfu);
        break;
    case BarKind::memory32_prefetchable:
        define(offset, 4, 8, low_mask & ~0xfu);
        break;
    case BarKind::memory64:
        define(offset, 4, 0xc, low_mask & ~0xfu);
        define(offset + 4, 4, 0, static_cast<std::uint32_t>(mask >> 32));
        break;
    case BarKind::rom:
        define(offset, 4, 0, (low_mask & 0xfffff800) | 1);
        break;
    }
    return region;
}

unsigned PciFunction::add_capability(std::uint8_t id, unsigned size_bytes, unsigned at) {
    const unsigned offset = at != 0 ? at : next_capability_;
    assert(offset % 4 == 0 && offset + size_bytes <= 0x100);
    next_capability_ = std::max(next_capability_, (offset + size_bytes + 3) & ~3u);
    define(last_capability_link_, 1, offset);
    define(offset, 2, id);
    last_capability_link_ = offset + 1;
    define(reg::status, 1, status_capabilities);
    return offset;
}

void PciFunction::define(unsigned offset, unsigned width, std::uint32_t value,
                         std::uint32_t writable) {
    assert(valid(offset, width));
    store(&initial_[offset], width, value);
    store(&values_[offset], width, value);
    store(&writable_[offset], width, writable);
}

void PciFunction::define_write_one_to_clear(unsigned offset, unsigned width, std::uint32_t bits) {
    assert(valid(offset, width));
    store(&write_one_to_clear_[offset], width, bits);
}

void PciFunction::set_multifunction() noexcept {
    const std::lock_guard guard(config_mutex_);
    initial_[reg::header_type] |= 0x80;
    values_[reg::header_type] |= 0x80;
}

std::uint32_t PciFunction::config_read(unsigned offset, unsigned width) noexcept {
    if (!valid(offset, width))
        return static_cast<std::uint32_t>(all_ones(width));
    const std::lock_guard guard(config_mutex_);
    config_about_to_be_read(offset, width);
    std::uint32_t value = load(&values_[offset], width);
    if (touches(offset, width, reg::status, 1)) {
        const std::lock_guard intx_guard(intx_mutex_);
        if (intx_asserted_)
            value |= std::uint32_t{status_interrupt} << (8 * (reg::status - offset));
    }
    return value;
}

void PciFunction::config_write(unsigned offset, unsigned width, std::uint32_t value) noexcept {
    if (!valid(offset, width))
        return;
    const std::lock_guard guard(config_mutex_);
    for (unsigned i = 0; i < width; ++i) {
        const auto byte = static_cast<std::uint8_t>(value >> (8 * i));
        const std::uint8_t writable = writable_[offset + i];
        std::uint8_t& stored = values_[offset + i];
        stored = static_cast<std::uint8_t>((stored & ~writable) | (byte & writable));
        stored &= static_cast<std::uint8_t>(~(byte & write_one_to_clear_[offset + i]));
    }
    const bool command_written = touches(offset, width, reg::command, 2);
    if (command_written) {
        command_.store(static_cast<std::uint16_t>(load(&values_[reg::command], 2)),
                       std::memory_order_release);
        const std::lock_guard intx_guard(intx_mutex_);
        drive_intx_locked();
    }
    if (command_written || touches(offset, width, reg::first_bar, 24) ||
        touches(offset, width, reg::rom, 4))
        place_bars();
    config_written(offset, width);
}

bool PciFunction::is_bus_master() const noexcept {
    return (command_.load(std::memory_order_acquire) & command_bus_master) != 0;
}

std::uint64_t PciFunction::wanted_base(const Bar& bar) const noexcept {
    const std::uint16_t command = command_.load(std::memory_order_relaxed);
    const std::uint16_t needed = bar.kind == BarKind::io ? command_io : command_memory;
    if ((command & needed) == 0)
        return nowhere;
    const std::uint32_t low = load(&values_[bar.offset], 4);
    const std::uint64_t size = regions_[bar.region].size_bytes;
    if (bar.kind == BarKind::rom && (low & 1) == 0)
        return nowhere;
    std::uint64_t last_possible = 0xffffffff;
    std::uint64_t base = low & (bar.kind == BarKind::rom ? 0xfffff800 : ~0xfu);
    if (bar.kind == BarKind::io) {
        base = low & ~0x3u;
        if (base > 0xffff)
            return nowhere;
    } else if (bar.kind == BarKind::memory64) {
        base |= std::uint64_t{load(&values_[bar.offset + 4], 4)} << 32;
        last_possible = ~std::uint64_t{0};
    }
    base &= ~(size - 1);
    // At 0, or at the very end while the guest sizes the BAR by writing all ones, nothing is meant.
    const bool is_sizing = base + (size - 1) == last_possible;
    return base == 0 || is_sizing ? nowhere : base;
}

void PciFunction::place_bars() noexcept {
    for (Bar& bar : bars_) {
        if (bar.placed_at != nowhere && bar.placed_at != wanted_base(bar)) {
            placer_.withdraw(*this, bar.region);
            bar.placed_at = nowhere;
        }
    }
    for (Bar& bar : bars_) {
        const std::uint64_t base = wanted_base(bar);
        if (base != bar.placed_at && placer_.place(*this, bar.region, base))
            bar.placed_at = base;
    }
}

std::uint32_t PciFunction::config_value(unsigned offset, unsigned width) const noexcept {
    return load(&values_[offset], width);
}

void PciFunction::set_config_value(unsigned offset, unsigned width, std::uint32_t value) noexcept {
    store(&values_[offset], width, value);
}

std::uint32_t PciFunction::locked_config_value(unsigned offset, unsigned width) noexcept {
    const std::lock_guard guard(config_mutex_);
    return load(&values_[offset], width);
}

void PciFunction::set_locked_config_value(unsigned offset, unsigned width,
                                          std::uint32_t value) noexcept {
    const std::lock_guard guard(config_mutex_);
    store(&values_[offset], width, value);
}

void PciFunction::config_written(unsigned /*offset*/, unsigned /*width*/) noexcept {}

void PciFunction::config_about_to_be_read(unsigned /*offset*/, unsigned /*width*/) noexcept {}

void PciFunction::drive_intx_locked() noexcept {
    if (intx_ != nullptr)
        intx_->set_level(intx_asserted_ &&
                         (command_.load(std::memory_order_acquire) & command_intx_disable) == 0);
}

void PciFunction::set_intx(bool asserted) noexcept {
    const std::lock_guard guard(intx_mutex_);
    intx_asserted_ = asserted;
    drive_intx_locked();
}

void PciFunction::reset_config() noexcept {
    const std::lock_guard guard(config_mutex_);
    values_ = initial_;
    command_.store(0, std::memory_order_release);
    place_bars();
    const std::lock_guard intx_guard(intx_mutex_);
    intx_asserted_ = false;
    drive_intx_locked();
}

void PciFunction::save_config(StateWriter& writer) const {
    const std::lock_guard guard(config_mutex_);
    const std::lock_guard intx_guard(intx_mutex_);
    writer.begin("pci-function", 1);
    writer.put(values_);
    writer.put(intx_asserted_);
}

void PciFunction::restore_config(StateReader& reader) {
    reader.begin("pci-function", 1);
    std::array<std::uint8_t, config_bytes> values{};
    bool asserted = false;
    reader.get(values);
    reader.get(asserted);
    const std::lock_guard guard(config_mutex_);
    // What no guest could have changed is this function's own, whatever the file says.
    for (unsigned i = 0; i < config_bytes; ++i) {
        const unsigned changeable = writable_[i] | write_one_to_clear_[i];
        values_[i] =
            static_cast<std::uint8_t>((initial_[i] & ~changeable) | (values[i] & changeable));
    }
    command_.store(static_cast<std::uint16_t>(load(&values_[reg::command], 2)),
                   std::memory_order_release);
    place_bars();
    const std::lock_guard intx_guard(intx_mutex_);
    intx_asserted_ = asserted;
    drive_intx_locked();
}

} // namespace coldstart
