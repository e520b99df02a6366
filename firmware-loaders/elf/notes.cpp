#include "firmware-loaders/elf/notes.h"

#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <limits>

#include <elf.h>

namespace coldstart {
namespace {

// A kernel has half a KiB of notes; a core dump, which has many, is no kernel.
constexpr std::uint64_t max_note_bytes = MiB;
constexpr std::size_t max_notes = 256;

[[noreturn]] void refuse(const ImageBytes& image, const char* problem) {
    throw Error(cat(image.name(), ": damaged ELF file: ", problem), "copy or build it again");
}

} // namespace

void append_notes(const ImageBytes& image, std::uint64_t offset, std::uint64_t size_bytes,
                  std::uint64_t alignment, std::vector<ElfNote>& notes) {
    if (size_bytes > max_note_bytes || !range_inside(offset, size_bytes, image.size_bytes()))
        refuse(image, "its notes go past the end of the file or are too long");
    const std::vector<std::byte> bytes = image.copy(offset, size_bytes);
    // 8 is for GNU property notes alone; everything else is padded to 4 whatever p_align says.
    const std::uint64_t padding = alignment == 8 ? 8 : 4;
    std::uint64_t at = 0;
    while (bytes.size() - at >= sizeof(Elf64_Nhdr)) {
        // The sizes have 32 bits each, so the sums below fit 64.
        const std::uint64_t name_bytes = load_le<std::uint32_t>(bytes, at);
        const std::uint64_t value_bytes = load_le<std::uint32_t>(bytes, at + 4);
        const auto type = load_le<std::uint32_t>(bytes, at + 8);
        const std::uint64_t name_at = at + sizeof(Elf64_Nhdr);
        const std::uint64_t value_at = at + align_up(sizeof(Elf64_Nhdr) + name_bytes, padding);
        if (!range_inside(name_at, name_bytes, bytes.size()) ||
            !range_inside(value_at, value_bytes, bytes.size()) || notes.size() == max_notes)
            refuse(image, "a note goes past the end of its segment, or there are too many");
        ElfNote note;
        note.owner.assign(reinterpret_cast<const char*>(bytes.data()) + name_at, name_bytes);
        note.owner.erase(std::find(note.owner.begin(), note.owner.end(), '\0'), note.owner.end());
        note.type = type;
        const auto first = bytes.begin() + static_cast<std::ptrdiff_t>(value_at);
        note.value.assign(first, first + static_cast<std::ptrdiff_t>(value_bytes));
        notes.push_back(std::move(note));
        at = std::min<std::uint64_t>(align_up(value_at + value_bytes, padding), bytes.size());
    }
}

std::optional<std::uint32_t> find_pvh_entry(const ImageBytes& image,
                                            const std::vector<ElfNote>& notes) {
    for (const ElfNote& note : notes) {
        if (note.owner != "Xen" || note.type != xen_note_phys32_entry)
            continue;
        // 4 bytes by the ABI; Linux writes a pointer, 8 bytes in a 64-bit kernel.
        std::uint64_t entry = 0;
        if (note.value.size() == sizeof(std::uint32_t))
            entry = load_le<std::uint32_t>(note.value);
        else if (note.value.size() == sizeof(std::uint64_t))
            entry = load_le<std::uint64_t>(note.value);
        else
            refuse(image, "its PVH note is neither 4 nor 8 bytes long");
        if (entry > std::numeric_limits<std::uint32_t>::max())
            refuse(image, "its PVH entry lies above 4 GiB");
        return static_cast<std::uint32_t>(entry);
    }
    return std::nullopt;
}

bool has_linux_note(const std::vector<ElfNote>& notes) noexcept {
    return std::any_of(notes.begin(), notes.end(),
                       [](const ElfNote& note) { return note.owner == "Linux"; });
}

} // namespace coldstart
