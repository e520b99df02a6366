#include "firmware-loaders/linux/boot_params.h"

#include "firmware-loaders/placement/layout.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstring>

#include <asm/bootparam.h>

namespace coldstart {
namespace {

constexpr std::uint8_t unregistered_loader = 0xff; // boot.rst, type_of_loader
constexpr std::size_t header_end_max = 0x290;

static_assert(sizeof(boot_params) == 0x1000);
static_assert(offsetof(boot_params, acpi_rsdp_addr) == 0x070);
static_assert(offsetof(boot_params, e820_table) == 0x2d0);

constexpr std::uint32_t low_half(std::uint64_t value) noexcept {
    return static_cast<std::uint32_t>(value);
}
constexpr std::uint32_t high_half(std::uint64_t value) noexcept {
    return static_cast<std::uint32_t>(value >> 32);
}

/// What a bzImage of today would say; a vmlinux has no header, and the kernel reads these fields.
void make_up_header(setup_header& header) noexcept {
    header.boot_flag = 0xaa55;
    header.header = 0x53726448; // "HdrS"
    header.version = 0x020f;
    header.loadflags = LOADED_HIGH;
    header.initrd_addr_max = static_cast<std::uint32_t>(default_initrd_address_max);
    header.kernel_alignment = 0x1000000;
    header.cmdline_size = static_cast<std::uint32_t>(linux_command_line_bytes);
    header.xloadflags = XLF_KERNEL_64 | XLF_CAN_BE_LOADED_ABOVE_4G;
}

void copy_header(boot_params& params, ByteView header) noexcept {
    const std::size_t start = offsetof(boot_params, hdr);
    auto* bytes = reinterpret_cast<std::byte*>(&params);
    std::memcpy(bytes + start, header.data(), std::min(header.size(), header_end_max - start));
}

void add_memory_map(boot_params& params, const MemoryMap& map) noexcept {
    params.e820_entries = static_cast<std::uint8_t>(map.size());
    for (std::size_t i = 0; i < map.size(); ++i) {
        params.e820_table[i].addr = map[i].base.value;
        params.e820_table[i].size = map[i].size_bytes;
        params.e820_table[i].type = static_cast<std::uint32_t>(map[i].kind);
    }
}

} // namespace

void check_memory_map(const MemoryMap& map) {
    if (map.size() > E820_MAX_ENTRIES_ZEROPAGE)
        throw Error(cat("the memory map has ", map.size(), " entries; a kernel can be told of ",
                        E820_MAX_ENTRIES_ZEROPAGE));
}

void write_boot_params(const GuestMemory& memory, const LinuxHandover& handover) {
    boot_params params{};
    if (handover.setup_header.empty())
        make_up_header(params.hdr);
    else
        copy_header(params, handover.setup_header);
    params.hdr.type_of_loader = unregistered_loader;
    params.hdr.code32_start = low_half(handover.load_address.value);
    params.hdr.setup_data = 0;
    params.hdr.cmd_line_ptr = low_half(handover.command_line.value);
    params.ext_cmd_line_ptr = high_half(handover.command_line.value);
    const InitrdRange initrd = handover.initrd.value_or(InitrdRange{});
    params.hdr.ramdisk_image = low_half(initrd.base.value);
    params.ext_ramdisk_image = high_half(initrd.base.value);
    params.hdr.ramdisk_size = low_half(initrd.size_bytes);
    params.ext_ramdisk_size = high_half(initrd.size_bytes);
    params.acpi_rsdp_addr = handover.rsdp.value;
    add_memory_map(params, handover.map);
    [[maybe_unused]] const bool stored = memory.store(layout::boot_params.base, params);
    assert(stored && "claimed before");
}

} // namespace coldstart
