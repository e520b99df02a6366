#include "vmm/tables/acpi_tables.h"

#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/tables/tables.h"

#include <algorithm>

namespace coldstart {

namespace {

constexpr std::size_t rsdp_bytes = 36;
constexpr std::uint64_t facs_alignment = 64;
constexpr std::uint64_t table_alignment = 16;

/// Collects the tables behind the RSDP and knows the address of each.
class Image {
  public:
    explicit Image(Gpa base) : base_(base), bytes_(rsdp_bytes) {
        places_.push_back({"RSD PTR ", 0, rsdp_bytes});
    }

    std::uint32_t add(std::string_view signature, const std::vector<std::byte>& table,
                      std::uint64_t alignment = table_alignment) {
        const auto offset = static_cast<std::size_t>(align_up(bytes_.size(), alignment));
        bytes_.resize(offset);
        bytes_.insert(bytes_.end(), table.begin(), table.end());
        places_.push_back({std::string(signature), offset, table.size()});
        return static_cast<std::uint32_t>((base_ + offset).value);
    }

    AcpiTables finish(std::uint32_t xsdt) && {
        write_rsdp(xsdt);
        return {base_, std::move(bytes_), std::move(places_)};
    }

  private:
    /// Section 5.2.5.3. The first checksum covers the 20 bytes ACPI 1.0 knew, the second all.
    void write_rsdp(std::uint32_t xsdt) {
        const auto rsdp = std::span(bytes_).first(rsdp_bytes);
        const auto put_text = [&](std::size_t offset, std::string_view text) {
            std::ranges::copy(std::as_bytes(std::span(text)),
                              rsdp.begin() + static_cast<std::ptrdiff_t>(offset));
        };
        put_text(0, "RSD PTR ");
        put_text(9, acpi_oem_id);
        store_le(rsdp, 15, std::uint8_t{2});  // revision
        store_le(rsdp, 16, std::uint32_t{0}); // no RSDT
        store_le(rsdp, 20, static_cast<std::uint32_t>(rsdp_bytes));
        store_le(rsdp, 24, std::uint64_t{xsdt});
        store_le(rsdp, 8, checksum_of(rsdp.first(20)));
        store_le(rsdp, 32, checksum_of(rsdp));
    }

    Gpa base_;
    std::vector<std::byte> bytes_;
    std::vector<AcpiTablePlace> places_;
};

std::vector<std::byte> build_xsdt(std::initializer_list<std::uint32_t> tables) {
    std::vector<std::byte> xsdt = sdt_begin("XSDT", 1);
    for (const std::uint32_t table : tables)
        append_le(xsdt, std::uint64_t{table});
    sdt_finish(xsdt);
    return xsdt;
}

void check_place(const AcpiInputs& inputs) {
    if (inputs.base.value % facs_alignment != 0 || inputs.base.value >= 1ull << 32 ||
        inputs.room_bytes > (1ull << 32) - inputs.base.value)
        throw Error(cat("ACPI tables at ", hex(inputs.base.value),
                        ": want a multiple of 64 and room below 4 GiB"));
}

} // namespace

AcpiTables build_acpi(const AcpiInputs& inputs) {
    check_place(inputs);
    const auto fixed = find_fixed_hardware(inputs.devices);

    Image image(inputs.base);
    const std::uint32_t facs = fixed ? image.add("FACS", build_facs(), facs_alignment) : 0;
    const std::uint32_t dsdt = image.add("DSDT", build_dsdt(inputs, fixed));
    const std::uint32_t fadt = image.add("FACP", build_fadt(inputs, fixed, facs, dsdt));
    const std::uint32_t madt = image.add("APIC", build_madt(inputs, fixed));
    const std::uint32_t xsdt = image.add("XSDT", build_xsdt({fadt, madt}));

    AcpiTables tables = std::move(image).finish(xsdt);
    if (tables.bytes.size() > inputs.room_bytes)
        throw Error(cat("ACPI tables: ", tables.bytes.size(), " bytes, ", inputs.room_bytes,
                        " is the room at ", hex(inputs.base.value)),
                    "use fewer devices or CPUs");
    return tables;
}

} // namespace coldstart
