// ELF kernels: the executable formats of the System V ABI ("Object files", chapters 4 and 5), both
// classes, x86 only, read by their program headers. An uncompressed Linux kernel (vmlinux) and any
// PVH kernel is one.
//
// Segments go to their physical addresses (p_paddr). Sections are not looked at, so that a
// stripped file is as good as any; relocations are not applied: a kernel runs where it is linked.
// Missing: more than 128 program headers; PVH notes outside of a PT_NOTE segment.
#pragma once

#include "firmware-loaders/placement/placement.h"
#include "firmware-loaders/source/image_bytes.h"
#include "vmm/base/bytes.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coldstart {

struct ElfSegment {
    std::uint64_t file_offset = 0;
    std::uint64_t file_bytes = 0;
    std::uint64_t virtual_address = 0;
    std::uint64_t physical_address = 0;
    std::uint64_t memory_bytes = 0;
    std::uint32_t flags = 0; ///< PF_R, PF_W, PF_X

    bool contains(std::uint64_t physical) const noexcept {
        return physical >= physical_address && physical - physical_address < memory_bytes;
    }
};

struct ElfNote {
    std::string owner; ///< "Xen", "Linux", "GNU"
    std::uint32_t type = 0;
    std::vector<std::byte> value;
};

struct ElfImage {
    bool is_64 = true;
    std::uint64_t entry = 0;          ///< e_entry
    std::vector<ElfSegment> segments; ///< PT_LOAD that occupy memory
    std::vector<ElfNote> notes;
    std::optional<std::uint32_t> pvh_entry; ///< XEN_ELFNOTE_PHYS32_ENTRY
    bool is_linux = false; ///< has Linux's notes, or is linked as Linux links its kernel

    /// Whether an address lies in a segment, as every entry point must.
    bool maps(std::uint64_t physical) const noexcept;
    std::uint64_t lowest_address() const noexcept;
    std::uint64_t end_address() const noexcept;
};

bool is_elf(ByteView head) noexcept;

/// Reads headers and notes; throws Error when they are damaged or not for x86.
ElfImage parse_elf(const ImageBytes& image);

/// Claims every segment.
void claim_elf(const ImageBytes& image, const ElfImage& elf, Placement& placement);

/// Puts every segment there, claimed before, and zeroes what the file does not hold.
void load_elf(const ImageBytes& image, const ElfImage& elf, const GuestMemory& memory,
              LoadMethod method);

} // namespace coldstart
