// ELF notes (System V ABI, "Note Section"), and those among them that tell how a kernel boots:
// Xen's public/elfnote.h and Linux's include/linux/elfnote.h.
#pragma once

#include "firmware-loaders/elf/elf_image.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace coldstart {

inline constexpr std::uint32_t xen_note_phys32_entry = 18; ///< XEN_ELFNOTE_PHYS32_ENTRY

/// Appends the notes of one PT_NOTE segment; throws Error when they are damaged.
void append_notes(const ImageBytes& image, std::uint64_t offset, std::uint64_t size_bytes,
                  std::uint64_t alignment, std::vector<ElfNote>& notes);

/// The 32-bit entry of the PVH note; throws Error when there is one of an impossible value.
std::optional<std::uint32_t> find_pvh_entry(const ImageBytes& image,
                                            const std::vector<ElfNote>& notes);

bool has_linux_note(const std::vector<ElfNote>& notes) noexcept;

} // namespace coldstart
