#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/tables/aml.h"
#include "vmm/tables/aml_resources.h"
#include "vmm/tables/tables.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace coldstart {

namespace {

constexpr std::uint8_t dsdt_revision = 2; // integers of 64 bits
constexpr std::size_t segment_chars = 4;

/// Fills in what a device leaves to the tables: the number in the name of one of several, and the
/// _UID of one of several with the same _HID.
class Numbering {
  public:
    explicit Numbering(const std::vector<AcpiDescription>& devices) {
        for (const AcpiDescription& device : devices) {
            ++named_[device.name];
            ++identified_[device.hid];
        }
    }

    std::string next_name(const AcpiDescription& device) {
        std::string name = device.name.substr(0, segment_chars);
        if (named_[device.name] > 1 || used_names_.count(name) != 0)
            name = numbered(device.name);
        used_names_.insert(name);
        return name;
    }

    /// Counted from the device's own _UID or 1: devices of one class all ask for the same.
    std::optional<std::uint32_t> next_uid(const AcpiDescription& device) {
        if (identified_[device.hid] < 2)
            return device.uid;
        std::uint32_t uid = device.uid.value_or(1);
        while (!used_uids_.insert({device.hid, uid}).second)
            ++uid;
        return uid;
    }

  private:
    std::string numbered(const std::string& base) {
        for (unsigned number = 1; number < 1000; ++number) {
            const std::string digits = std::to_string(number);
            std::string name = base.substr(0, segment_chars - digits.size()) + digits;
            if (used_names_.count(name) == 0)
                return name;
        }
        throw Error(cat("ACPI: more than 999 devices named ", base));
    }

    std::map<std::string, unsigned> named_, identified_;
    std::set<std::string> used_names_;
    std::set<std::pair<std::string, std::uint32_t>> used_uids_;
};

aml::Term hardware_id(const std::string& id) {
    return aml::is_eisa_id(id) ? aml::eisa_id(id) : aml::string(id);
}

void add_region(aml::ResourceTemplate& resources, const RegionShape& shape, std::uint64_t base) {
    const std::uint64_t size = shape.size_bytes;
    if (shape.bus == BusKind::pio) {
        if (size == 0 || base + size > 0x10000 || size > 0xffff)
            throw Error(cat("ACPI: I/O ports at ", hex(base), ", ", size,
                            " of them: not inside the 64 Ki there are"));
        const auto port = static_cast<std::uint16_t>(base);
        if (size <= 0xff)
            resources.io(port, static_cast<std::uint8_t>(size));
        else
            resources.word_io(port, static_cast<std::uint16_t>(size));
    } else if (base < 1ull << 32 && size < (1ull << 32) - base) {
        resources.memory32_fixed(static_cast<std::uint32_t>(base),
                                 static_cast<std::uint32_t>(size));
    } else {
        resources.qword_memory(base, size);
    }
}

/// A device on I/O ports whose interrupt is an ISA one uses it as ISA does, edge and active high,
/// even where it drives a level, as a 16550 does on any PC: that is what guests that read no DSDT
/// assume, and the MADT does not override it. IRQ 0 to 2 are no GSIs of the same number.
bool is_isa_interrupt(std::uint32_t gsi, bool has_ports) {
    return has_ports && gsi >= 3 && gsi < 16;
}

aml::Term current_resources(const PlacedDevice& placed) {
    const auto regions = placed.device->regions();
    const auto lines = placed.device->lines();
    if (regions.size() != placed.bases.size() || lines.size() != placed.gsis.size())
        throw Error(cat(placed.id, ": its placement does not match its shape"));

    aml::ResourceTemplate resources;
    bool has_ports = false;
    for (std::size_t i = 0; i < regions.size(); ++i) {
        add_region(resources, regions[i], placed.bases[i]);
        has_ports = has_ports || regions[i].bus == BusKind::pio;
    }
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (is_isa_interrupt(placed.gsis[i], has_ports))
            resources.irq_no_flags(placed.gsis[i]);
        else
            resources.interrupt(placed.gsis[i], lines[i].edge_triggered);
    }
    return resources.empty() ? aml::Term{} : aml::name("_CRS", resources.term());
}

aml::Term device_object(const PlacedDevice& placed, const AcpiDescription& description,
                        Numbering& numbering) {
    aml::Term body = aml::name("_HID", hardware_id(description.hid));
    if (!description.cid.empty())
        body += aml::name("_CID", hardware_id(description.cid));
    if (const auto uid = numbering.next_uid(description))
        body += aml::name("_UID", aml::integer(*uid));
    if (description.cache_coherent)
        body += aml::name("_CCA", aml::integer(1));
    body += current_resources(placed);
    return aml::device(numbering.next_name(description), body);
}

aml::Term device_objects(std::span<const PlacedDevice> devices) {
    std::vector<AcpiDescription> descriptions;
    std::vector<const PlacedDevice*> described;
    for (const PlacedDevice& placed : devices) {
        AcpiDescription description = placed.device->acpi();
        if (description.hid.empty())
            continue;
        descriptions.push_back(std::move(description));
        described.push_back(&placed);
    }
    Numbering numbering(descriptions);
    aml::Term objects;
    for (std::size_t i = 0; i < described.size(); ++i)
        objects += device_object(*described[i], descriptions[i], numbering);
    return objects;
}

/// Processor devices: their _UID is that of the MADT, in the same order. Named C000 to CFFF: a
/// name that begins so and goes on with three digits is no device's.
aml::Term processor_objects(std::size_t count) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    if (count > 0x1000)
        throw Error(cat("ACPI: ", count, " processors, 4096 is the limit"));
    aml::Term objects;
    for (std::size_t uid = 0; uid < count; ++uid) {
        const std::array<char, 4> name = {'C', digits[uid >> 8 & 15], digits[uid >> 4 & 15],
                                          digits[uid & 15]};
        objects += aml::device(std::string_view(name.data(), name.size()),
                               aml::name("_HID", aml::string("ACPI0007")) +
                                   aml::name("_UID", aml::integer(uid)));
    }
    return objects;
}

/// Soft off: SLP_TYPa, SLP_TYPb, two reserved (section 7.4.2.6).
aml::Term soft_off(std::uint8_t sleep_type) {
    const std::array<aml::Term, 4> values = {aml::integer(sleep_type), aml::integer(sleep_type),
                                             aml::integer(0), aml::integer(0)};
    return aml::name("\\_S5", aml::package(values));
}

} // namespace

std::vector<std::byte> build_dsdt(const AcpiInputs& inputs,
                                  const std::optional<FixedHardware>& fixed) {
    aml::Term program;
    program += aml::scope("\\_SB", processor_objects(inputs.apic_ids.size()) +
                                       device_objects(inputs.devices));
    if (fixed)
        program += soft_off(fixed->s5_sleep_type);

    std::vector<std::byte> table = sdt_begin("DSDT", dsdt_revision);
    table.insert(table.end(), program.bytes.begin(), program.bytes.end());
    sdt_finish(table);
    return table;
}

} // namespace coldstart
