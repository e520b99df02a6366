#include "devices/q35/q35_mch.h"

#include "devices/core/acpi/reset_control.h"
#include "devices/q35/mch_function.h"
#include "vmm/base/error.h"

#include <array>

namespace coldstart {

using namespace q35;
using namespace rst_cnt;

namespace {

constexpr std::array region_shapes = {
    RegionShape{"ports", BusKind::pio, 8}, RegionShape{"ecam", BusKind::mmio, ecam_max_bytes},
    RegionShape{"shadow", BusKind::mmio, ShadowMemory::size_bytes}};

constexpr PciAddress own_address = {.device = 0, .function = 0};

/// Where a configuration access goes.
struct Target {
    unsigned bus = 0;
    PciAddress address;
    unsigned offset = 0;
};

Target ecam_target(std::uint64_t offset) noexcept {
    return {.bus = static_cast<unsigned>(offset >> 20),
            .address = {.device = static_cast<std::uint8_t>(offset >> 15 & 31),
                        .function = static_cast<std::uint8_t>(offset >> 12 & 7)},
            .offset = static_cast<unsigned>(offset & 0xfff)};
}

Target port_target(std::uint32_t config_address, std::uint64_t port) noexcept {
    return {.bus = config_address >> 16 & 0xff,
            .address = {.device = static_cast<std::uint8_t>(config_address >> 11 & 31),
                        .function = static_cast<std::uint8_t>(config_address >> 8 & 7)},
            .offset = (config_address & 0xfc) + static_cast<unsigned>(port - port_data)};
}

bool inside_doubleword(std::uint64_t offset, unsigned width) noexcept {
    return width <= 4 && offset % 4 + width <= 4;
}

} // namespace

Q35Mch::Q35Mch(const Q35MchHost& host)
    : pci_(host.pci), power_(host.power), shadow_(host.mapper, host.shadow_ram, host.low_rom),
      smram_(host.mapper, host.memory, host.smm != nullptr),
      function_(std::make_unique<MchFunction>(*this, host.placer, shadow_, smram_, host.smm)) {
    pci_.add(own_address, *function_);
}

Q35Mch::~Q35Mch() {
    pci_.remove(own_address);
}

std::span<const RegionShape> Q35Mch::regions() const noexcept {
    return region_shapes;
}

std::uint64_t Q35Mch::read(unsigned region, std::uint64_t offset, unsigned width) noexcept {
    switch (region) {
    case region_ports:
        return read_port(offset, width);
    case region_ecam:
        return read_ecam(offset, width);
    default:
        return shadow_.read(offset, width);
    }
}

void Q35Mch::write(unsigned region, std::uint64_t offset, unsigned width,
                   std::uint64_t value) noexcept {
    switch (region) {
    case region_ports:
        return write_port(offset, width, value);
    case region_ecam:
        return write_ecam(offset, width, value);
    default:
        return shadow_.write(offset, width, value);
    }
}

std::uint64_t Q35Mch::read_port(std::uint64_t offset, unsigned width) noexcept {
    const std::uint32_t config_address = config_address_.load(std::memory_order_relaxed);
    if (offset == port_address && width == 4)
        return config_address;
    if (offset == port_reset && width == 1)
        return reset_control_.load(std::memory_order_relaxed);
    if (offset < port_data || !inside_doubleword(offset, width) ||
        (config_address & address_enable) == 0)
        return all_ones(width);
    const Target target = port_target(config_address, offset);
    return pci_.config_read(target.bus, target.address, target.offset, width);
}

void Q35Mch::write_port(std::uint64_t offset, unsigned width, std::uint64_t value) noexcept {
    const auto word = static_cast<std::uint32_t>(value);
    if (offset == port_address && width == 4) {
        config_address_.store(word & address_kept, std::memory_order_relaxed);
        return;
    }
    if (offset == port_reset && width == 1) {
        reset_control_.store(static_cast<std::uint8_t>(word & reset_kept),
                             std::memory_order_relaxed);
        if ((word & reset_cpu) != 0)
            power_.reset();
        return;
    }
    const std::uint32_t config_address = config_address_.load(std::memory_order_relaxed);
    if (offset < port_data || !inside_doubleword(offset, width) ||
        (config_address & address_enable) == 0)
        return;
    const Target target = port_target(config_address, offset);
    pci_.config_write(target.bus, target.address, target.offset, width, word);
}

std::uint64_t Q35Mch::read_ecam(std::uint64_t offset, unsigned width) noexcept {
    if (!inside_doubleword(offset, width) || offset >= function_->ecam_bytes())
        return all_ones(width);
    const Target target = ecam_target(offset);
    return pci_.config_read(target.bus, target.address, target.offset, width);
}

void Q35Mch::write_ecam(std::uint64_t offset, unsigned width, std::uint64_t value) noexcept {
    if (!inside_doubleword(offset, width) || offset >= function_->ecam_bytes())
        return;
    const Target target = ecam_target(offset);
    pci_.config_write(target.bus, target.address, target.offset, width,
                      static_cast<std::uint32_t>(value));
}

void Q35Mch::reset() {
    config_address_ = 0;
    reset_control_ = 0;
    function_->reset();
}

void Q35Mch::save(StateWriter& writer) const {
    writer.begin("q35-mch", 1);
    writer.fields(config_address_.load(), reset_control_.load());
    function_->save(writer);
}

void Q35Mch::restore(StateReader& reader) {
    std::uint32_t config_address = 0;
    std::uint8_t reset_control = 0;
    reader.begin("q35-mch", 1);
    reader.fields(config_address, reset_control);
    if ((config_address & ~address_kept) != 0 || (reset_control & ~reset_kept) != 0)
        throw Error("saved state: q35-mch registers hold impossible values", "the file is damaged");
    function_->restore(reader);
    config_address_ = config_address;
    reset_control_ = reset_control;
}

} // namespace coldstart
