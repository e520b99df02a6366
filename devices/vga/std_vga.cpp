#include "devices/vga/std_vga.h"

#include "devices/vga/edid.h"
#include "vmm/base/error.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace coldstart {

using namespace vga;

namespace {

constexpr PciIdentity identity_of_std_vga = {.vendor_id = 0x1234,
                                             .device_id = 0x1111,
                                             .revision = 2,
                                             .class_code = 0x030000,
                                             .subsystem_vendor_id = 0x1af4,
                                             .subsystem_id = 0x1100};

constexpr std::size_t min_rom_bytes = 4096; // a page
constexpr std::size_t max_rom_bytes = 256 * 1024;

/// PCI Firmware Specification 3.0, section 5.1: signature, and a length in 512 bytes.
void check_rom(ByteView rom) {
    const bool has_header =
        rom.size() >= 3 && rom[0] == std::byte{0x55} && rom[1] == std::byte{0xaa};
    if (!has_header || std::to_integer<std::size_t>(rom[2]) * 512 > rom.size() ||
        rom.size() > max_rom_bytes)
        throw Error("the VGA BIOS is not an option ROM, or not whole",
                    "give vgabios-stdvga.bin of the package seabios");
}

bool lies_in(std::uint64_t offset, unsigned width, unsigned first, unsigned end) noexcept {
    return offset >= first && offset + width <= end;
}

std::uint64_t read_edid(std::size_t offset, unsigned width) noexcept {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < width && offset + i < edid_bytes; ++i)
        value |= std::uint64_t{edid()[offset + i]} << 8 * i;
    return value;
}

} // namespace

StdVga::StdVga(RegionPlacer& placer, ByteView rom)
    : PciFunction(identity_of_std_vga, placer, nullptr), core_(std::make_shared<VgaCore>()) {
    frame_buffer_region_ = add_bar(0, BarKind::memory32_prefetchable,
                                   {.name = "frame buffer",
                                    .bus = BusKind::mmio,
                                    .size_bytes = memory_bytes,
                                    .memory = core_->frame_buffer().data()});
    register_region_ =
        add_bar(2, BarKind::memory32,
                {.name = "registers", .bus = BusKind::mmio, .size_bytes = mmio_bytes});
    if (rom.empty())
        return;
    check_rom(rom);
    rom_.emplace(std::bit_ceil(std::max(rom.size(), min_rom_bytes)));
    std::copy(rom.begin(), rom.end(), rom_->bytes().begin());
    add_bar(rom_bar, BarKind::rom,
            {.name = "rom",
             .bus = BusKind::mmio,
             .size_bytes = rom_->bytes().size(),
             .memory = rom_->bytes().data(),
             .memory_access = MemoryAccess::read_only});
}

StdVga* StdVga::find(const PciBus& bus) noexcept {
    for (unsigned slot = 0; slot < 32 * 8; ++slot) {
        const PciAddress address{static_cast<std::uint8_t>(slot / 8),
                                 static_cast<std::uint8_t>(slot % 8)};
        if (auto* const found = dynamic_cast<StdVga*>(bus.find(address)))
            return found;
    }
    return nullptr;
}

std::uint64_t StdVga::read(unsigned region, std::uint64_t offset, unsigned width) noexcept {
    if (region == frame_buffer_region_)
        return core_->read_frame_buffer(offset, width);
    if (region == register_region_)
        return read_registers(offset, width);
    std::uint64_t value = 0;
    std::memcpy(&value, &rom_->bytes()[offset], width);
    return value;
}

void StdVga::write(unsigned region, std::uint64_t offset, unsigned width,
                   std::uint64_t value) noexcept {
    if (region == frame_buffer_region_)
        core_->write_frame_buffer(offset, width, value);
    else if (region == register_region_)
        write_registers(offset, width, value);
}

std::uint64_t StdVga::read_registers(std::uint64_t offset, unsigned width) noexcept {
    const auto at = static_cast<unsigned>(offset);
    if (lies_in(offset, width, 0, mmio_edid_end))
        return read_edid(offset, width);
    if (width <= 4 && lies_in(offset, width, mmio_ports, mmio_ports_end))
        return core_->read_ports(port_attribute + (at - mmio_ports), width);
    if (lies_in(offset, width, mmio_dispi, mmio_dispi_end)) {
        const unsigned index = (at - mmio_dispi) / 2;
        if (width == 1)
            return core_->read_dispi(index) >> at % 2 * 8 & 0xffu;
        if (width == 2 && at % 2 == 0)
            return core_->read_dispi(index);
        if (width == 4 && at % 2 == 0)
            return core_->read_dispi(index) | std::uint32_t{core_->read_dispi(index + 1)} << 16;
    }
    if (width == 4 && offset == mmio_ext_size)
        return ext_bytes;
    if (width == 4 && offset == mmio_ext_byte_order)
        return core_->big_endian() ? byte_order_big : byte_order_little;
    return all_ones(width);
}

void StdVga::write_registers(std::uint64_t offset, unsigned width, std::uint64_t value) noexcept {
    const auto at = static_cast<unsigned>(offset);
    if (width <= 4 && lies_in(offset, width, mmio_ports, mmio_ports_end)) {
        core_->write_ports(port_attribute + (at - mmio_ports), width, value);
    } else if (lies_in(offset, width, mmio_dispi, mmio_dispi_end)) {
        if ((width != 2 && width != 4) || at % 2 != 0)
            return;
        for (unsigned i = 0; i < width / 2; ++i)
            core_->write_dispi((at - mmio_dispi) / 2 + i,
                               static_cast<std::uint16_t>(value >> 16 * i));
    } else if (width == 4 && offset == mmio_ext_byte_order) {
        if (value == byte_order_little || value == byte_order_big)
            core_->set_big_endian(value == byte_order_big);
    }
}

void StdVga::reset() {
    reset_config();
    core_->reset();
}

void StdVga::save(StateWriter& writer) const {
    core_->save(writer);
    save_config(writer);
}

void StdVga::restore(StateReader& reader) {
    const VgaCore::Saved saved = core_->read_saved(reader);
    restore_config(reader); // all or nothing; what follows can't fail
    core_->restore(saved);
}

} // namespace coldstart
