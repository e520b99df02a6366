#include "vmm/tables/device_objects.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/tables/aml_resources.h"
#include "vmm/tables/sdt.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace coldstart {

namespace {

constexpr std::size_t segment_chars = 4;

/// A device object to be: most devices are one, a keyboard controller is two.
struct Described {
    const PlacedDevice* placed = nullptr;
    AcpiDescription description = {};
    bool has_regions = true;
    std::size_t first_line = 0; ///< of `lines` of the device's
    std::size_t lines = 0;
};

/// Fills in what a device leaves to the tables: the number in the name of one of several, and the
/// _UID of one of several with the same _HID.
class Numbering {
  public:
    explicit Numbering(const std::vector<Described>& devices, std::span<const ReservedName> taken) {
        for (const auto& [placed, device, has_regions, first_line, lines] : devices) {
            ++named_[device.name];
            ++identified_[device.hid];
        }
        for (const ReservedName& reserved : taken) {
            used_names_.insert(std::string(reserved.name));
            if (reserved.hid.empty())
                continue;
            ++identified_[std::string(reserved.hid)];
            used_uids_.insert({std::string(reserved.hid), reserved.uid});
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
/// assume, and the MADT does not override it. IRQ 0 and 2 are no GSIs of the same number.
bool is_isa_interrupt(std::uint32_t gsi, bool has_ports) {
    return has_ports && (gsi == 1 || (gsi >= 3 && gsi < 16));
}

bool has_ports(const Device& device) {
    const auto regions = device.regions();
    return std::any_of(regions.begin(), regions.end(),
                       [](const RegionShape& region) { return region.bus == BusKind::pio; });
}

/// Ports from the first region's first to the last one's last as one resource: drivers of fw_cfg
/// take its registers by their offset from the only base they expect.
void add_ports_as_one(aml::ResourceTemplate& resources, const PlacedDevice& placed) {
    const auto regions = placed.device->regions();
    std::uint64_t begin = acpi_unplaced, end = 0;
    for (std::size_t i = 0; i < regions.size(); ++i) {
        if (regions[i].bus != BusKind::pio || placed.bases[i] > 0xffff)
            continue;
        begin = std::min(begin, placed.bases[i]);
        end = std::max(end, placed.bases[i] + regions[i].size_bytes);
    }
    if (end != 0)
        add_region(resources, {"registers", BusKind::pio, end - begin}, begin);
}

aml::Term current_resources(const Described& object) {
    const PlacedDevice& placed = *object.placed;
    const auto regions = placed.device->regions();
    const auto lines = placed.device->lines();
    if (regions.size() != placed.bases.size() || lines.size() != placed.gsis.size())
        throw Error(cat(placed.id, ": its placement does not match its shape"));

    aml::ResourceTemplate resources;
    const bool as_one = object.description.hid == fw_cfg_hid;
    if (as_one)
        add_ports_as_one(resources, placed);
    for (std::size_t i = 0; !as_one && object.has_regions && i < regions.size(); ++i) {
        if (placed.bases[i] != acpi_unplaced)
            add_region(resources, regions[i], placed.bases[i]);
    }
    for (std::size_t i = object.first_line; i < object.first_line + object.lines; ++i) {
        if (is_isa_interrupt(placed.gsis[i], has_ports(*placed.device)))
            resources.irq_no_flags(placed.gsis[i]);
        else
            resources.interrupt(placed.gsis[i], lines[i].edge_triggered);
    }
    return resources.empty() ? aml::Term{} : aml::name("_CRS", resources.term());
}

aml::Term device_object(const Described& object, Numbering& numbering) {
    const AcpiDescription& description = object.description;
    aml::Term body = aml::name("_HID", hardware_id(description.hid));
    if (!description.cid.empty())
        body += aml::name("_CID", hardware_id(description.cid));
    if (const auto uid = numbering.next_uid(description))
        body += aml::name("_UID", aml::integer(*uid));
    if (description.cache_coherent)
        body += aml::name("_CCA", aml::integer(1));
    body += current_resources(object);
    return aml::device(numbering.next_name(description), body);
}

bool has_keyboard(const AcpiDescription& description) {
    const auto& features = description.legacy;
    return (description.hid.empty() || description.hid == keyboard_hid) &&
           std::find(features.begin(), features.end(), LegacyFeature::keyboard_controller) !=
               features.end();
}

/// The keyboard with the ports and the first line; the mouse is a device of its own to ACPI, with
/// nothing but the second line. Firmware, too, decides by PNP0303 whether to look for a keyboard.
void add_keyboard(std::vector<Described>& objects, const PlacedDevice& placed,
                  AcpiDescription description) {
    description.hid = keyboard_hid;
    if (description.name.empty())
        description.name = "KBD";
    const std::size_t lines = placed.device->lines().size();
    objects.push_back({&placed, std::move(description), true, 0, std::min<std::size_t>(lines, 1)});
    if (lines < 2)
        return;
    AcpiDescription mouse;
    mouse.name = "MOU";
    mouse.hid = mouse_hid;
    objects.push_back({&placed, std::move(mouse), false, 1, 1});
}

std::vector<Described> described_devices(std::span<const PlacedDevice> devices) {
    std::vector<Described> objects;
    for (const PlacedDevice& placed : devices) {
        AcpiDescription description = placed.device->acpi();
        if (placed.pci)
            continue; // guests enumerate PCI functions; where those stand is the guest's
        if (has_keyboard(description)) {
            add_keyboard(objects, placed, std::move(description));
        } else if (!description.hid.empty()) {
            // A HPET's own registers say which interrupts its timers use.
            const bool fixed_lines = description.hid != hpet_hid;
            const std::size_t lines = fixed_lines ? placed.device->lines().size() : 0;
            objects.push_back({&placed, std::move(description), true, 0, lines});
        }
    }
    return objects;
}

} // namespace

std::vector<DeviceObject> device_objects(std::span<const PlacedDevice> devices,
                                         std::span<const ReservedName> reserved) {
    const std::vector<Described> objects = described_devices(devices);
    Numbering numbering(objects, reserved);
    std::vector<DeviceObject> made;
    for (const Described& object : objects) {
        made.push_back({device_object(object, numbering), object.description.hid,
                        has_ports(*object.placed->device)});
    }
    return made;
}

} // namespace coldstart
