#include "vmm/tables/acpi_image.h"

#include "vmm/base/byte_size.h"
#include "vmm/tables/tables.h"

#include <algorithm>
#include <utility>

namespace coldstart {

namespace {

constexpr std::size_t table_alignment = 16;

// Where pointers stand: ACPI 6.4 sections 5.2.5.3 (RSDP) and 5.2.9 (FADT).
constexpr std::size_t rsdp_rsdt = 16;
constexpr std::size_t rsdp_xsdt = 24;
constexpr std::size_t fadt_firmware_ctrl = 36;
constexpr std::size_t fadt_dsdt = 40;
constexpr std::size_t fadt_x_dsdt = 140;

class ImageBuilder {
  public:
    ImageBuilder() {
        image_.bytes.resize(rsdp_bytes);
        image_.places.push_back({std::string(rsdp_signature), 0, rsdp_bytes});
        put_text(0, rsdp_signature);
        put_text(9, acpi_oem_id);
        store_le(std::span(image_.bytes), 15, std::uint8_t{2}); // revision
        store_le(std::span(image_.bytes), 20, static_cast<std::uint32_t>(rsdp_bytes));
    }

    /// Returns the table's offset.
    std::size_t add(std::string_view signature, const std::vector<std::byte>& table,
                    std::size_t alignment = table_alignment) {
        const auto offset = static_cast<std::size_t>(align_up(image_.bytes.size(), alignment));
        image_.bytes.resize(offset);
        image_.bytes.insert(image_.bytes.end(), table.begin(), table.end());
        image_.places.push_back({std::string(signature), offset, table.size()});
        if (has_plain_checksum(image_.places.back()))
            image_.bytes[offset + sdt_checksum] = std::byte{0};
        return offset;
    }

    void point(std::size_t at, unsigned size_bytes, std::size_t target) {
        if (size_bytes == 4)
            store_le(std::span(image_.bytes), at, static_cast<std::uint32_t>(target));
        else
            store_le(std::span(image_.bytes), at, std::uint64_t{target});
        image_.pointers.push_back({at, size_bytes, target});
    }

    /// RSDT or XSDT: pointers of `size_bytes` to the tables.
    std::size_t add_root(std::string_view signature, unsigned size_bytes,
                         std::span<const std::size_t> tables) {
        std::vector<std::byte> root = sdt_begin(signature, 1);
        root.resize(root.size() + tables.size() * size_bytes);
        sdt_finish(root);
        const std::size_t offset = add(signature, root);
        for (std::size_t i = 0; i < tables.size(); ++i)
            point(offset + sdt_header_bytes + i * size_bytes, size_bytes, tables[i]);
        return offset;
    }

    AcpiImage finish() && { return std::move(image_); }

  private:
    void put_text(std::size_t offset, std::string_view text) {
        std::ranges::copy(std::as_bytes(std::span(text)),
                          image_.bytes.begin() + static_cast<std::ptrdiff_t>(offset));
    }

    AcpiImage image_;
};

/// FACS, DSDT and the FADT that points to them; returns the FADT's offset.
std::size_t add_fixed_tables(ImageBuilder& image, const AcpiInputs& inputs,
                             const PowerManagement& power) {
    std::size_t facs = 0;
    if (power.fixed)
        facs = image.add("FACS", build_facs(), acpi_image_alignment);
    const std::size_t dsdt = image.add("DSDT", build_dsdt(inputs, power));
    const std::size_t fadt = image.add("FACP", build_fadt(inputs, power));
    // X_FIRMWARE_CTRL stays 0: of the two pointers to the FACS at most one may be set.
    if (power.fixed)
        image.point(fadt + fadt_firmware_ctrl, 4, facs);
    image.point(fadt + fadt_dsdt, 4, dsdt);
    image.point(fadt + fadt_x_dsdt, 8, dsdt);
    return fadt;
}

} // namespace

bool has_plain_checksum(const AcpiTablePlace& place) noexcept {
    return place.signature != rsdp_signature && place.signature != "FACS";
}

AcpiImage build_acpi_image(const AcpiInputs& inputs, bool with_rsdt) {
    const PowerManagement power = find_power_management(inputs);
    ImageBuilder image;
    std::vector<std::size_t> tables;
    tables.push_back(add_fixed_tables(image, inputs, power));
    tables.push_back(image.add("APIC", build_madt(inputs, power.fixed)));
    if (inputs.pci) {
        if (inputs.pci->ecam)
            tables.push_back(
                image.add("MCFG", build_mcfg(*inputs.pci->ecam, inputs.pci->last_bus)));
        if (inputs.pci->hpet)
            tables.push_back(image.add("HPET", build_hpet(*inputs.pci->hpet)));
        tables.push_back(image.add("WAET", build_waet()));
    }
    if (with_rsdt)
        image.point(rsdp_rsdt, 4, image.add_root("RSDT", 4, tables));
    image.point(rsdp_xsdt, 8, image.add_root("XSDT", 8, tables));
    return std::move(image).finish();
}

} // namespace coldstart
