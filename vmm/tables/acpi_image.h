// The tables before anyone knows where they will stand: bytes in which pointers are offsets from
// the image's beginning, and a list of those pointers.
//
// Whoever gives the image its address adds it to every pointer and then sets the checksums, which
// are zero till then: build_acpi() here, firmware by the script of table_loader.h.
#pragma once

#include "vmm/tables/acpi_tables.h"

#include <cstddef>
#include <string_view>
#include <vector>

namespace coldstart {

/// What the tables' own alignments are counted from: the image goes to a multiple of it.
inline constexpr std::size_t acpi_image_alignment = 64;
inline constexpr std::size_t rsdp_bytes = 36;
inline constexpr std::size_t rsdp_acpi1_bytes = 20; ///< what the first of its checksums covers
inline constexpr std::size_t rsdp_checksum = 8;
inline constexpr std::size_t rsdp_extended_checksum = 32;
inline constexpr std::string_view rsdp_signature = "RSD PTR ";

struct AcpiPointer {
    std::size_t at = 0; ///< offset in the image of the little-endian pointer
    unsigned size_bytes = 4;
    std::size_t target = 0; ///< offset of the table it points to, which stands there, too
};

struct AcpiImage {
    std::vector<std::byte> bytes; ///< the RSDP first
    std::vector<AcpiTablePlace> places;
    std::vector<AcpiPointer> pointers;
};

/// False for RSDP, which has two checksums, and FACS, which has none.
bool has_plain_checksum(const AcpiTablePlace& place) noexcept;

/// `with_rsdt`: a table of 32-bit pointers beside the XSDT, for those who know no other.
AcpiImage build_acpi_image(const AcpiInputs& inputs, bool with_rsdt);

} // namespace coldstart
