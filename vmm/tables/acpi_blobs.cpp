#include "vmm/base/byte_size.h"
#include "vmm/base/bytes.h"
#include "vmm/tables/acpi_image.h"
#include "vmm/tables/acpi_tables.h"
#include "vmm/tables/sdt.h"
#include "vmm/tables/table_loader.h"

#include <algorithm>
#include <utility>

namespace coldstart {

namespace {

// Large enough that no ordinary machine comes near the next multiple.
constexpr std::uint64_t tables_padding = 64 * 1024;
constexpr std::uint64_t loader_padding = 4096;
constexpr std::uint32_t rsdp_alignment = 16; // firmware and systems look for it in steps of 16

void pad(std::vector<std::byte>& bytes, std::uint64_t multiple) {
    bytes.resize(static_cast<std::size_t>(align_up(bytes.size(), multiple)));
}

/// The image cut in two, behind the RSDP; the tables' offsets count from the cut.
class Cut {
  public:
    static constexpr std::size_t at = align_up(rsdp_bytes, acpi_image_alignment);

    static std::string_view file_of(std::size_t offset) {
        return offset < at ? acpi_rsdp_file : acpi_tables_file;
    }
    static std::uint32_t offset_in_file(std::size_t offset) {
        return static_cast<std::uint32_t>(offset < at ? offset : offset - at);
    }
};

/// Every pointer holds its target's offset in the tables file, to which firmware adds the
/// address.
void write_targets(AcpiImage& image) {
    for (const AcpiPointer& pointer : image.pointers) {
        const std::uint32_t target = Cut::offset_in_file(pointer.target);
        const auto field =
            std::as_writable_bytes(std::span(image.bytes)).subspan(pointer.at, pointer.size_bytes);
        std::ranges::fill(field, std::byte{0});
        store_le(field, 0, target);
    }
}

std::vector<std::byte> loader_script(const AcpiImage& image) {
    TableLoaderScript script;
    script.allocate(acpi_rsdp_file, rsdp_alignment, TableLoaderScript::Zone::f_segment);
    script.allocate(acpi_tables_file, static_cast<std::uint32_t>(acpi_image_alignment),
                    TableLoaderScript::Zone::high);
    for (const AcpiPointer& pointer : image.pointers) {
        script.add_pointer(Cut::file_of(pointer.at), Cut::file_of(pointer.target),
                           Cut::offset_in_file(pointer.at),
                           static_cast<std::uint8_t>(pointer.size_bytes));
    }
    for (const AcpiTablePlace& place : image.places) {
        if (!has_plain_checksum(place))
            continue;
        const std::uint32_t start = Cut::offset_in_file(place.offset);
        script.add_checksum(acpi_tables_file, start + static_cast<std::uint32_t>(sdt_checksum),
                            start, static_cast<std::uint32_t>(place.size_bytes));
    }
    // The extended checksum covers the first, so it comes last.
    script.add_checksum(acpi_rsdp_file, rsdp_checksum, 0, rsdp_acpi1_bytes);
    script.add_checksum(acpi_rsdp_file, rsdp_extended_checksum, 0, rsdp_bytes);
    std::vector<std::byte> bytes = script.bytes();
    pad(bytes, loader_padding);
    return bytes;
}

} // namespace

AcpiBlobs build_acpi_blobs(const AcpiInputs& inputs) {
    AcpiImage image = build_acpi_image(inputs, true);
    write_targets(image);

    AcpiBlobs blobs;
    blobs.loader = loader_script(image);
    const auto cut = image.bytes.begin() + static_cast<std::ptrdiff_t>(Cut::at);
    blobs.rsdp.assign(image.bytes.begin(), image.bytes.begin() + rsdp_bytes);
    blobs.tables.assign(cut, image.bytes.end());
    pad(blobs.tables, tables_padding);
    for (const AcpiTablePlace& place : image.places) {
        if (place.signature != rsdp_signature)
            blobs.places.push_back(
                {place.signature, Cut::offset_in_file(place.offset), place.size_bytes});
    }
    return blobs;
}

} // namespace coldstart
