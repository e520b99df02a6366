#include "firmware-loaders/linux/load_linux.h"

#include "firmware-loaders/entry/entry.h"
#include "firmware-loaders/initrd/initrd.h"
#include "firmware-loaders/linux/boot_params.h"
#include "firmware-loaders/placement/guest_copy.h"
#include "firmware-loaders/placement/layout.h"
#include "firmware-loaders/placement/placement.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <bit>

namespace coldstart {
namespace {

constexpr std::uint64_t entry_64_offset = 0x200; // boot.rst: startup_64 of the decompressor

void claim_low_structures(Placement& placement, const std::string& command_line) {
    claim_long64(placement);
    placement.claim("boot_params", layout::boot_params);
    claim_command_line(placement, command_line);
}

/// Header fields a made-up kernel may have left at 0 mean "not said".
std::uint64_t command_line_limit(const BzImage* header) noexcept {
    return header == nullptr || header->command_line_bytes == 0 ? linux_command_line_bytes
                                                                : header->command_line_bytes;
}

std::uint64_t initrd_limit(const BzImage* header) noexcept {
    return header == nullptr || header->initrd_address_max == 0 ? default_initrd_address_max
                                                                : header->initrd_address_max;
}

/// The last steps of both ways; the kernel is claimed and written.
BootPlan finish(const LoadRequest& request, Placement& placement, const BzImage* header,
                const std::optional<ImageBytes>& initrd, Gpa load_address, std::uint64_t entry) {
    std::optional<InitrdRange> initrd_range;
    if (initrd)
        initrd_range = load_initrd(request, *initrd, placement, initrd_limit(header));
    write_command_line(request.memory, request.command_line);
    write_boot_params(request.memory,
                      {header == nullptr ? ByteView{} : ByteView(header->setup_header),
                       load_address, layout::command_line.base, initrd_range, request.rsdp,
                       request.map});
    BootPlan plan;
    plan.protocol = BootProtocol::linux64;
    plan.entry = enter_long64(request.memory, entry, layout::boot_params.base);
    plan.parts = placement.parts();
    return plan;
}

/// The guest's decompressor works in [load address, + init_size); without that field (before
/// 2.10) nothing with a 64-bit entry exists.
std::uint64_t self_unpacking_bytes(const BzImage& header) noexcept {
    return std::max<std::uint64_t>(header.init_bytes, header.protected_bytes);
}

Gpa choose_load_address(const Placement& placement, const ImageBytes& image,
                        const BzImage& header) {
    const std::uint64_t size = self_unpacking_bytes(header);
    const Gpa preferred(header.preferred_address);
    if (placement.is_free(preferred, size))
        return preferred;
    std::optional<Gpa> other;
    if (header.relocatable && std::has_single_bit(header.alignment))
        other = placement.lowest(size, header.alignment, Gpa(MiB));
    if (!other || *other + size > Gpa(4 * GiB))
        throw Error(cat(image.name(), ": needs ", size, " bytes of RAM at ", hex(preferred.value),
                        header.relocatable ? " or above 1 MiB" : "", ", the guest has ",
                        format_byte_size(placement.memory().size_bytes())),
                    cat("give it at least ",
                        format_byte_size(align_up((preferred + size).value + 16 * MiB, 16 * MiB)),
                        " with --memory"));
    return *other;
}

} // namespace

bool vmlinux_fits(const LoadRequest& request, const ImageBytes& vmlinux, const ElfImage& elf) {
    Placement trial(request.memory, request.map);
    claim_low_structures(trial, request.command_line);
    try {
        claim_elf(vmlinux, elf, trial);
        return true;
    } catch (const Error&) {
        return false;
    }
}

BootPlan load_vmlinux(const LoadRequest& request, const ImageBytes& vmlinux, const ElfImage& elf,
                      const BzImage* header, const std::optional<ImageBytes>& initrd) {
    if (!elf.is_64)
        throw Error(cat(vmlinux.name(), ": a 32-bit kernel has no 64-bit entry"),
                    "use an x86-64 kernel, or --boot pvh if it has a PVH note");
    if (!elf.maps(elf.entry))
        throw Error(cat(vmlinux.name(), ": its entry ", hex(elf.entry),
                        " lies in no segment; this is no Linux kernel"),
                    "give --kernel a Linux vmlinux or a PVH kernel");
    check_memory_map(request.map);
    check_command_line(request.command_line, command_line_limit(header));
    Placement placement(request.memory, request.map);
    claim_low_structures(placement, request.command_line);
    claim_elf(vmlinux, elf, placement);
    load_elf(vmlinux, elf, request.memory, request.method);
    return finish(request, placement, header, initrd, Gpa(elf.lowest_address()), elf.entry);
}

BootPlan load_self_unpacking(const LoadRequest& request, const ImageBytes& image,
                             const BzImage& header, const std::optional<ImageBytes>& initrd) {
    if (!header.has_64_bit_entry())
        throw Error(cat(image.name(), ": a bzImage without a 64-bit entry (protocol ",
                        protocol_text(header.protocol), "), a 32-bit kernel or an old one"),
                    "use an x86-64 kernel, Linux 3.8 or later");
    check_memory_map(request.map);
    check_command_line(request.command_line, command_line_limit(&header));
    Placement placement(request.memory, request.map);
    claim_low_structures(placement, request.command_line);
    const Gpa base = choose_load_address(placement, image, header);
    placement.claim("kernel", base, self_unpacking_bytes(header));
    load_part(request.memory, image,
              {base, header.setup_bytes, header.protected_bytes, header.protected_bytes},
              request.method);
    return finish(request, placement, &header, initrd, base, base.value + entry_64_offset);
}

} // namespace coldstart
