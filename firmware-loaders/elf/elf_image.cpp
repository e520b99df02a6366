#include "firmware-loaders/elf/elf_image.h"

#include "firmware-loaders/elf/notes.h"
#include "firmware-loaders/placement/guest_copy.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include <elf.h>

namespace coldstart {
namespace {

constexpr unsigned max_program_headers = 128;

/// __START_KERNEL_map: where every x86-64 Linux maps its image, physical address 0 first.
constexpr std::uint64_t linux_kernel_map = 0xffffffff80000000;

[[noreturn]] void refuse(const ImageBytes& image, const std::string& problem) {
    throw Error(cat(image.name(), ": damaged ELF file: ", problem), "copy or build it again");
}

template <typename T>
T read_struct(const ImageBytes& image, std::uint64_t offset) {
    T value;
    image.read(offset, std::as_writable_bytes(std::span(&value, 1)));
    return value;
}

template <typename Phdr>
ElfSegment check_segment(const ImageBytes& image, const Phdr& header) {
    const ElfSegment segment{header.p_offset, header.p_filesz, header.p_vaddr,
                             header.p_paddr,  header.p_memsz,  header.p_flags};
    if (segment.file_bytes > segment.memory_bytes)
        refuse(image, cat("the segment at ", hex(segment.physical_address),
                          " has more bytes in the file than in memory"));
    if (!range_inside(segment.file_offset, segment.file_bytes, image.size_bytes()))
        refuse(image, cat("the segment at ", hex(segment.physical_address),
                          " goes past the end of the file"));
    if (segment.memory_bytes > std::numeric_limits<std::uint64_t>::max() - segment.physical_address)
        refuse(image,
               cat("the segment at ", hex(segment.physical_address), " wraps the address space"));
    return segment;
}

template <typename Ehdr, typename Phdr>
ElfImage parse_class(const ImageBytes& image) {
    if (image.size_bytes() < sizeof(Ehdr))
        refuse(image, "shorter than its header");
    const auto header = read_struct<Ehdr>(image, 0);
    if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
        throw Error(cat(image.name(), ": this ELF file is no executable (type ", header.e_type,
                        "), perhaps an object file or a core dump"),
                    "give --kernel the linked kernel, vmlinux or bzImage");
    if (header.e_phnum == 0 || header.e_phnum > max_program_headers)
        refuse(image, cat(header.e_phnum, " program headers"));
    if (header.e_phentsize != sizeof(Phdr))
        refuse(image, cat("program headers of ", header.e_phentsize, " bytes"));
    const std::uint64_t table_bytes = std::uint64_t{header.e_phnum} * sizeof(Phdr);
    if (!range_inside(header.e_phoff, table_bytes, image.size_bytes()))
        refuse(image, "its program headers lie past its end");

    ElfImage elf;
    elf.is_64 = sizeof(Phdr) == sizeof(Elf64_Phdr);
    elf.entry = header.e_entry;
    for (unsigned i = 0; i < header.e_phnum; ++i) {
        const auto program = read_struct<Phdr>(image, header.e_phoff + i * sizeof(Phdr));
        if (program.p_type == PT_LOAD && program.p_memsz != 0)
            elf.segments.push_back(check_segment(image, program));
        else if (program.p_type == PT_NOTE)
            append_notes(image, program.p_offset, program.p_filesz, program.p_align, elf.notes);
    }
    if (elf.segments.empty())
        refuse(image, "no segment to load");
    return elf;
}

bool linked_as_linux(const ElfImage& elf) noexcept {
    return elf.is_64 && elf.maps(elf.entry) &&
           std::any_of(elf.segments.begin(), elf.segments.end(), [](const ElfSegment& segment) {
               return segment.virtual_address - segment.physical_address == linux_kernel_map;
           });
}

void check_machine(const ImageBytes& image, unsigned elf_class, std::uint16_t machine) {
    const bool fits = elf_class == ELFCLASS64 ? machine == EM_X86_64 : machine == EM_386;
    if (!fits)
        throw Error(
            cat(image.name(), ": an ELF file for another processor (machine ", machine, ")"),
            "give --kernel one built for x86-64");
}

} // namespace

bool ElfImage::maps(std::uint64_t physical) const noexcept {
    return std::any_of(segments.begin(), segments.end(),
                       [&](const ElfSegment& segment) { return segment.contains(physical); });
}

std::uint64_t ElfImage::lowest_address() const noexcept {
    std::uint64_t lowest = std::numeric_limits<std::uint64_t>::max();
    for (const ElfSegment& segment : segments)
        lowest = std::min(lowest, segment.physical_address);
    return lowest;
}

std::uint64_t ElfImage::end_address() const noexcept {
    std::uint64_t end = 0;
    for (const ElfSegment& segment : segments)
        end = std::max(end, segment.physical_address + segment.memory_bytes);
    return end;
}

bool is_elf(ByteView head) noexcept {
    return head.size() >= SELFMAG && std::memcmp(head.data(), ELFMAG, SELFMAG) == 0;
}

ElfImage parse_elf(const ImageBytes& image) {
    const auto head = image.head(EI_NIDENT + 2 * sizeof(std::uint16_t));
    if (!is_elf(head) || head.size() < EI_NIDENT + 2 * sizeof(std::uint16_t))
        refuse(image, "shorter than its header");
    const auto elf_class = std::to_integer<unsigned>(head[EI_CLASS]);
    if (elf_class != ELFCLASS32 && elf_class != ELFCLASS64)
        refuse(image, cat("unknown class ", elf_class));
    if (std::to_integer<unsigned>(head[EI_DATA]) != ELFDATA2LSB)
        throw Error(cat(image.name(), ": an ELF file for a big-endian processor"),
                    "give --kernel one built for x86-64");
    check_machine(image, elf_class, load_le<std::uint16_t>(head, EI_NIDENT + 2));
    ElfImage elf = elf_class == ELFCLASS64 ? parse_class<Elf64_Ehdr, Elf64_Phdr>(image)
                                           : parse_class<Elf32_Ehdr, Elf32_Phdr>(image);
    elf.pvh_entry = find_pvh_entry(image, elf.notes);
    elf.is_linux = has_linux_note(elf.notes) || linked_as_linux(elf);
    if (elf.pvh_entry && !elf.maps(*elf.pvh_entry))
        refuse(image, cat("its PVH entry ", hex(*elf.pvh_entry), " lies in no segment"));
    return elf;
}

void claim_elf(const ImageBytes& image, const ElfImage& elf, Placement& placement) {
    for (const ElfSegment& segment : elf.segments) {
        try {
            placement.claim("kernel", Gpa(segment.physical_address), segment.memory_bytes);
        } catch (const Error& error) {
            throw Error(cat(image.name(), ": ", error.what()));
        }
    }
}

void load_elf(const ImageBytes& image, const ElfImage& elf, const GuestMemory& memory,
              LoadMethod method) {
    for (const ElfSegment& segment : elf.segments)
        load_part(memory, image,
                  {Gpa(segment.physical_address), segment.file_offset, segment.file_bytes,
                   segment.memory_bytes},
                  method);
}

} // namespace coldstart
