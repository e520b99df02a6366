#include "vmm/tables/acpi_tables.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/tables/acpi_image.h"
#include "vmm/tables/sdt.h"

#include <utility>

namespace coldstart {

namespace {

void check_place(const AcpiInputs& inputs) {
    if (inputs.base.value % acpi_image_alignment != 0 || inputs.base.value >= 1ull << 32 ||
        inputs.room_bytes > (1ull << 32) - inputs.base.value)
        throw Error(cat("ACPI tables at ", hex(inputs.base.value),
                        ": want a multiple of 64 and room below 4 GiB"));
}

void relocate(std::span<std::byte> bytes, const AcpiPointer& pointer, std::uint64_t base) {
    const std::uint64_t address = base + pointer.target;
    if (pointer.size_bytes == 4)
        store_le(bytes, pointer.at, static_cast<std::uint32_t>(address));
    else
        store_le(bytes, pointer.at, address);
}

void set_checksums(const AcpiImage& image, std::span<std::byte> bytes) {
    for (const AcpiTablePlace& place : image.places) {
        if (has_plain_checksum(place))
            store_le(bytes, place.offset + sdt_checksum,
                     checksum_of(bytes.subspan(place.offset, place.size_bytes)));
    }
    // The first covers the 20 bytes ACPI 1.0 knew, the second all (section 5.2.5.3).
    store_le(bytes, rsdp_checksum, checksum_of(bytes.first(rsdp_acpi1_bytes)));
    store_le(bytes, rsdp_extended_checksum, checksum_of(bytes.first(rsdp_bytes)));
}

} // namespace

AcpiTables build_acpi(const AcpiInputs& inputs) {
    check_place(inputs);
    // Without PCI there is no guest that knows only the RSDT: none boots there but by a kernel.
    AcpiImage image = build_acpi_image(inputs, inputs.pci.has_value());
    if (image.bytes.size() > inputs.room_bytes)
        throw Error(cat("ACPI tables: ", image.bytes.size(), " bytes, ", inputs.room_bytes,
                        " is the room at ", hex(inputs.base.value)),
                    "use fewer devices or CPUs");
    for (const AcpiPointer& pointer : image.pointers)
        relocate(image.bytes, pointer, inputs.base.value);
    set_checksums(image, image.bytes);
    return {inputs.base, std::move(image.bytes), std::move(image.places)};
}

} // namespace coldstart
