#include "devices/core/pci/pci_address.h"
#include "vmm/tables/aml_code.h"
#include "vmm/tables/aml_resources.h"
#include "vmm/tables/dsdt_pci.h"

#include <array>
#include <string>
#include <vector>

namespace coldstart {

namespace {

// PIRQn_ROUT (ICH9 datasheet 13.1.15): an IRQ, or, with bit 7 set, none.
constexpr std::uint64_t rout_disabled = 0x80;
constexpr std::uint64_t rout_irq = 0x0f;

constexpr unsigned interrupt_descriptor_number = 5; ///< offset of the GSI in the descriptor

constexpr std::uint64_t status_present_enabled = 0x0b; // _STA: present, enabled, works
constexpr std::uint64_t status_present = 0x09;         // present, works

char letter(unsigned pirq) {
    return static_cast<char>('A' + pirq);
}

std::string link_name(unsigned pirq) {
    return std::string("LNK") + letter(pirq);
}

std::string register_name(unsigned pirq) {
    return std::string("PRQ") + letter(pirq);
}

aml::Term number_field(const aml::Term& buffer, std::string_view name) {
    return aml::dword_field(buffer, interrupt_descriptor_number, name);
}

/// LSTA (register): the _STA of a link. LCRS (register): its _CRS; a disabled one has interrupt 0.
aml::Term link_methods() {
    const aml::Term enabled =
        aml::is_zero(aml::bit_and(aml::argument(0), aml::integer(rout_disabled)));
    const std::array<std::uint32_t, 1> none = {0};
    aml::ResourceTemplate resources;
    resources.interrupt_choice(none);

    const aml::Term status =
        aml::if_true(enabled, aml::return_value(aml::integer(status_present_enabled))) +
        aml::return_value(aml::integer(status_present));
    const aml::Term current =
        aml::name("RSRC", resources.term()) + number_field(aml::name_string("RSRC"), "INTN") +
        aml::if_true(enabled, aml::bit_and(aml::argument(0), aml::integer(rout_irq),
                                           aml::name_string("INTN"))) +
        aml::return_value(aml::name_string("RSRC"));
    return aml::method("LSTA", 1, false, status) + aml::method("LCRS", 1, true, current);
}

aml::Term link(unsigned pirq) {
    const aml::Term routing = aml::name_string("\\_SB.PCI0.LPC." + register_name(pirq));
    const std::array<aml::Term, 1> as_argument = {routing};
    aml::ResourceTemplate possible;
    possible.interrupt_choice(pci_link_irqs);

    const aml::Term set =
        number_field(aml::argument(0), "INTN") + aml::assign(routing, aml::name_string("INTN"));
    return aml::device(
        link_name(pirq),
        aml::name("_HID", aml::eisa_id("PNP0C0F")) + aml::name("_UID", aml::integer(pirq)) +
            aml::name("_PRS", possible.term()) +
            aml::method("_STA", 0, false, aml::return_value(aml::call("LSTA", as_argument))) +
            aml::method("_CRS", 0, false, aml::return_value(aml::call("LCRS", as_argument))) +
            aml::method("_DIS", 0, false,
                        aml::bit_or(routing, aml::integer(rout_disabled), routing)) +
            aml::method("_SRS", 1, true, set));
}

/// An entry for each pin of each slot; `target` says where a PIRQ goes, as source and its index
template <typename Target>
aml::Term routing_table(Target target) {
    constexpr unsigned slots = 32;
    std::vector<aml::Term> entries;
    for (unsigned slot = 0; slot < slots; ++slot) {
        for (unsigned pin = 0; pin < pci_pins; ++pin) {
            constexpr std::uint64_t all_functions = 0xffff;
            const auto [source, index] = target(pirq_of(static_cast<std::uint8_t>(slot), pin));
            const std::array<aml::Term, 4> entry = {aml::integer(slot << 16 | all_functions),
                                                    aml::integer(pin), source, index};
            entries.push_back(aml::package(entry));
        }
    }
    return aml::package(entries);
}

} // namespace

aml::Term pirq_registers() {
    constexpr std::uint64_t first_register = 0x60; // PIRQA to D; E to H begin at 0x68
    constexpr std::uint64_t length = 12;
    std::vector<std::string> names;
    for (unsigned pirq = 0; pirq < pirq_count; ++pirq)
        names.push_back(register_name(pirq));
    std::vector<aml::FieldUnit> units;
    for (unsigned pirq = 0; pirq < pirq_count; ++pirq) {
        if (pirq == 4)
            units.push_back({.bytes = 4});
        units.push_back({.name = names[pirq]});
    }
    return aml::operation_region("PIRQ", aml::RegionSpace::pci_config, first_register, length) +
           aml::byte_fields("PIRQ", units);
}

aml::Term interrupt_links() {
    aml::Term links = link_methods();
    for (unsigned pirq = 0; pirq < pirq_count; ++pirq)
        links += link(pirq);
    return links;
}

aml::Term interrupt_routing() {
    using Pair = std::pair<aml::Term, aml::Term>;
    const aml::Term to_links = routing_table(
        [](unsigned pirq) { return Pair(aml::name_string(link_name(pirq)), aml::integer(0)); });
    const aml::Term to_gsis = routing_table(
        [](unsigned pirq) { return Pair(aml::integer(0), aml::integer(pirq_gsi_base + pirq)); });
    const aml::Term choice =
        aml::if_true(aml::name_string("\\PICF"), aml::return_value(aml::name_string("PRTA"))) +
        aml::return_value(aml::name_string("PRTP"));
    return aml::name("PRTP", to_links) + aml::name("PRTA", to_gsis) +
           aml::method("_PRT", 0, false, choice);
}

} // namespace coldstart
