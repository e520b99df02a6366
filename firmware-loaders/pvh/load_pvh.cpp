#include "firmware-loaders/pvh/load_pvh.h"

#include "firmware-loaders/entry/entry.h"
#include "firmware-loaders/initrd/initrd.h"
#include "firmware-loaders/linux/boot_params.h"
#include "firmware-loaders/placement/layout.h"
#include "firmware-loaders/placement/placement.h"
#include "firmware-loaders/pvh/start_info.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <cassert>

namespace coldstart {
namespace {

template <typename T>
void must_store(const GuestMemory& memory, Gpa at, const T& value) {
    [[maybe_unused]] const bool stored = memory.store(at, value);
    assert(stored && "claimed before");
}

void write_start_info(const LoadRequest& request, const std::optional<InitrdRange>& initrd) {
    pvh::StartInfo info;
    info.command_line = layout::command_line.base.value;
    info.rsdp = request.rsdp.value;
    info.memory_map = layout::pvh_memory_map.value;
    info.memory_map_entries = static_cast<std::uint32_t>(request.map.size());
    if (initrd) {
        info.module_count = 1;
        info.module_list = layout::pvh_module_list.value;
        must_store(request.memory, layout::pvh_module_list,
                   pvh::Module{initrd->base.value, initrd->size_bytes});
    }
    Gpa at = layout::pvh_memory_map;
    for (const MemoryMapEntry& entry : request.map) {
        must_store(request.memory, at,
                   pvh::MemoryMapEntry{entry.base.value, entry.size_bytes,
                                       static_cast<std::uint32_t>(entry.kind)});
        at = at + sizeof(pvh::MemoryMapEntry);
    }
    must_store(request.memory, layout::pvh_start_info.base, info);
}

} // namespace

BootPlan load_pvh(const LoadRequest& request, const ImageBytes& image, const ElfImage& elf,
                  const std::optional<ImageBytes>& initrd) {
    if (!elf.pvh_entry)
        throw Error(cat(image.name(), ": has no PVH entry (no Xen note of type 18)"),
                    elf.is_linux ? "build it with CONFIG_PVH=y, or use --boot linux"
                                 : "build it with a PVH note");
    check_memory_map(request.map);
    check_command_line(request.command_line, elf.is_linux ? linux_command_line_bytes
                                                          : layout::command_line.size_bytes - 1);
    Placement placement(request.memory, request.map);
    claim_protected32(placement);
    placement.claim("hvm_start_info", layout::pvh_start_info);
    claim_command_line(placement, request.command_line);
    claim_elf(image, elf, placement);
    load_elf(image, elf, request.memory, request.method);
    std::optional<InitrdRange> initrd_range;
    if (initrd)
        initrd_range = load_initrd(request, *initrd, placement, default_initrd_address_max);
    write_command_line(request.memory, request.command_line);
    write_start_info(request, initrd_range);

    BootPlan plan;
    plan.protocol = BootProtocol::pvh;
    plan.entry = enter_protected32(request.memory, *elf.pvh_entry, layout::pvh_start_info.base);
    plan.parts = placement.parts();
    return plan;
}

} // namespace coldstart
