#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/tables/dsdt_pci.h"
#include "vmm/tables/tables.h"

#include <algorithm>

namespace coldstart {

namespace {

constexpr std::uint8_t madt_revision = 5;
constexpr std::uint32_t pcat_compat = 1;
constexpr std::uint32_t processor_enabled = 1;

/// Local APIC structures hold 8-bit ids, of which 0xFF is the broadcast id.
constexpr std::uint32_t first_x2apic_id = 255;

// Interrupt controller structures, ACPI 6.4 section 5.2.12: type, length.
enum class Structure : std::uint16_t {
    local_apic = 0 | 8 << 8,
    io_apic = 1 | 12 << 8,
    source_override = 2 | 10 << 8,
    local_apic_nmi = 4 | 6 << 8,
    local_x2apic = 9 | 16 << 8,
    local_x2apic_nmi = 10 | 12 << 8,
};

// MPS INTI flags, table 5.26.
constexpr std::uint16_t polarity_high = 1;
constexpr std::uint16_t trigger_edge = 1 << 2;
constexpr std::uint16_t trigger_level = 3 << 2;

constexpr std::uint8_t nmi_lint = 1;

using Bytes = std::vector<std::byte>;

template <typename... Fields>
void put(Bytes& table, Structure structure, Fields... fields) {
    append_le(table, static_cast<std::uint16_t>(structure));
    (append_le(table, fields), ...);
}

void put_processor(Bytes& table, std::uint32_t uid, std::uint32_t apic_id) {
    if (apic_id < first_x2apic_id && uid < first_x2apic_id) {
        put(table, Structure::local_apic, static_cast<std::uint8_t>(uid),
            static_cast<std::uint8_t>(apic_id), processor_enabled);
    } else {
        put(table, Structure::local_x2apic, std::uint16_t{0}, apic_id, processor_enabled, uid);
    }
}

/// An ISA interrupt that is not where or what ISA says: GSI = IRQ, edge, active high.
void put_override(Bytes& table, std::uint8_t isa_irq, std::uint32_t gsi, std::uint16_t trigger) {
    constexpr std::uint8_t bus_isa = 0;
    put(table, Structure::source_override, bus_isa, isa_irq, gsi,
        static_cast<std::uint16_t>(polarity_high | trigger));
}

/// SCI_INT names an ISA interrupt where there are 8259s, which have only 16.
void put_sci(Bytes& table, const FixedHardware& fixed, bool has_pics) {
    constexpr std::uint32_t isa_irqs = 16;
    if (fixed.sci_gsi >= isa_irqs) {
        if (has_pics)
            throw Error(cat("SCI on GSI ", fixed.sci_gsi, ": 8259s reach only GSI 0 to 15"));
        return;
    }
    put_override(table, static_cast<std::uint8_t>(fixed.sci_gsi), fixed.sci_gsi,
                 fixed.sci_edge ? trigger_edge : trigger_level);
}

/// The inputs the PCI link devices offer when there is no IOAPIC are level-triggered with one, too.
void put_link_interrupts(Bytes& table, const std::optional<FixedHardware>& fixed) {
    for (const std::uint32_t irq : pci_link_irqs) {
        if (!fixed || fixed->sci_gsi != irq) // overridden already
            put_override(table, static_cast<std::uint8_t>(irq), irq, trigger_level);
    }
}

/// LINT1 is the NMI input of every processor.
void put_nmi(Bytes& table, bool x2apic) {
    constexpr std::uint16_t conforms = 0;
    put(table, Structure::local_apic_nmi, std::uint8_t{0xff}, conforms, nmi_lint);
    if (x2apic) {
        put(table, Structure::local_x2apic_nmi, conforms, std::uint32_t{0xffffffff}, nmi_lint,
            std::uint8_t{0}, std::uint16_t{0});
    }
}

} // namespace

std::vector<std::byte> build_madt(const AcpiInputs& inputs,
                                  const std::optional<FixedHardware>& fixed) {
    Bytes table = sdt_begin("APIC", madt_revision);
    append_le(table, inputs.local_apic_address);
    append_le(table, inputs.has_pics ? pcat_compat : 0u);

    std::uint32_t uid = 0;
    for (const std::uint32_t apic_id : inputs.apic_ids)
        put_processor(table, uid++, apic_id);

    put(table, Structure::io_apic, inputs.io_apic.id, std::uint8_t{0}, inputs.io_apic.address,
        inputs.io_apic.gsi_base);
    if (inputs.pit_gsi && *inputs.pit_gsi != 0)
        put_override(table, 0, *inputs.pit_gsi, trigger_edge);
    if (fixed)
        put_sci(table, *fixed, inputs.has_pics);
    if (inputs.pci && inputs.has_pics)
        put_link_interrupts(table, fixed);

    const bool x2apic =
        std::any_of(inputs.apic_ids.begin(), inputs.apic_ids.end(),
                    [](std::uint32_t apic_id) { return apic_id >= first_x2apic_id; });
    put_nmi(table, x2apic);
    sdt_finish(table);
    return table;
}

} // namespace coldstart
