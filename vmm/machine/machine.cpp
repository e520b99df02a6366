#include "vmm/machine/machine.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/machine/make_net.h"

#include <algorithm>
#include <utility>

namespace coldstart {

namespace {

/// What a device holds from its construction on. Only the made device says whether its line is an
/// edge or a level, so the way to the interrupt controller is connected behind it, later; until
/// then, and a constructor has nothing to say anyway, the line leads nowhere.
class LateIrqLine final : public IrqLine {
  public:
    void connect(std::unique_ptr<IrqLine> target) noexcept { target_ = std::move(target); }

    void set_level(bool asserted) noexcept override {
        if (target_)
            target_->set_level(asserted);
    }
    void pulse() noexcept override {
        if (target_)
            target_->pulse();
    }

  private:
    std::unique_ptr<IrqLine> target_;
};

const CatalogueEntry& find_type(std::span<const CatalogueEntry> catalogue,
                                const BoardDevice& entry) {
    for (const CatalogueEntry& known : catalogue) {
        if (known.type == entry.type)
            return known;
    }
    throw Error(cat(entry.id, ": no device type \"", entry.type, "\" in the catalogue"));
}

ByteStream* find_stream(const MachineHost& host, const BoardDevice& entry) {
    const auto found = host.streams.find(entry.stream);
    if (!entry.stream.empty() && (found == host.streams.end() || found->second == nullptr))
        throw Error(cat(entry.id, ": there is no stream \"", entry.stream, "\" to put behind it"));
    return entry.stream.empty() ? nullptr : found->second;
}

} // namespace

struct Machine::Slot {
    std::vector<std::unique_ptr<LateIrqLine>> lines; // outlive the device
    std::unique_ptr<Device> device;
};

/// Shows nothing: every access reaches the bus.
class Machine::NoMapper final : public MemoryMapper {
  public:
    bool show(Gpa, std::span<std::byte>, MemoryAccess) noexcept override { return false; }
    bool show_in_smm(Gpa, std::span<std::byte>) noexcept override { return false; }
    void hide(Gpa) noexcept override {}
};

class Machine::NoMessages final : public MsiRouter {
  public:
    std::unique_ptr<MsiLine> make_msi() override {
        throw Error("this machine has no message-signalled interrupts");
    }
};

Machine::Machine(std::span<const BoardDevice> board, const MachineHost& host,
                 std::span<const CatalogueEntry> catalogue)
    : no_mapper_(std::make_unique<NoMapper>()), no_messages_(std::make_unique<NoMessages>()),
      placements_(bus_, host.doorbells, host.mapper) {
    check_mmds(host.config, host.metadata);
    for (const BoardDevice& entry : board)
        make(entry, host, catalogue);
    check_interrupts();
    wire(host);
}

Machine::~Machine() {
    while (!slots_.empty())
        slots_.pop_back();
}

void Machine::make(const BoardDevice& entry, const MachineHost& host,
                   std::span<const CatalogueEntry> catalogue) {
    if (find(entry.id) != nullptr)
        throw Error(cat("device id \"", printable(entry.id), "\" is there twice"));
    auto slot = std::make_unique<Slot>();
    std::vector<IrqLine*> lines;
    const std::size_t line_count = entry.pci ? 1 : entry.gsis.size();
    for (std::size_t i = 0; i < line_count; ++i) {
        slot->lines.push_back(std::make_unique<LateIrqLine>());
        lines.push_back(slot->lines.back().get());
    }
    slot->device = find_type(catalogue, entry)
                       .make(entry, {.config = host.config,
                                     .memory = host.memory,
                                     .clock = host.clock,
                                     .power = host.power,
                                     .reactor = host.reactor,
                                     .lines = lines,
                                     .placer = placements_,
                                     .mapper = host.mapper != nullptr ? *host.mapper : *no_mapper_,
                                     .msis = host.msis != nullptr ? *host.msis : *no_messages_,
                                     .pci = pci_,
                                     .processors = host.processors,
                                     .post_codes = host.post_codes,
                                     .readiness = host.readiness,
                                     .milestones = host.milestones,
                                     .firmware = host.firmware,
                                     .fw_cfg = host.fw_cfg,
                                     .stream = find_stream(host, entry),
                                     .low_rom = host.low_rom,
                                     .make_net = host.make_net,
                                     .vsock_listener = host.vsock_listener,
                                     .metadata = host.metadata,
                                     .smm = host.smm});

    Device& device = *slot->device;
    if (entry.pci)
        add_function(entry, device);
    else if (device.regions().size() != entry.regions.size() ||
             device.lines().size() != entry.gsis.size())
        throw Error(cat(entry.id, ": the board gives ", entry.regions.size(), " regions and ",
                        entry.gsis.size(), " interrupts, a ", entry.type, " has ",
                        device.regions().size(), " and ", device.lines().size()));
    placed_.push_back({entry.id, &device, entry.regions, entry.gsis, entry.pci});
    slots_.push_back(std::move(slot));
}

void Machine::add_function(const BoardDevice& entry, Device& device) {
    auto* const function = dynamic_cast<PciFunction*>(&device);
    if (function == nullptr)
        throw Error(cat(entry.id, ": the board gives a PCI address, a ", entry.type,
                        " is no PCI function"));
    pci_.add(*entry.pci, *function);
}

void Machine::check_interrupts() const {
    struct Use {
        std::uint32_t gsi;
        bool edge;
        std::string_view id;
    };
    std::vector<Use> uses;
    for (const PlacedDevice& placed : placed_) {
        for (std::size_t i = 0; i < placed.gsis.size(); ++i) {
            const Use use{placed.gsis[i], placed.device->lines()[i].edge_triggered, placed.id};
            for (const Use& other : uses) {
                if (other.gsi == use.gsi && (other.edge || use.edge))
                    throw Error(cat(use.id, ": GSI ", use.gsi, " is taken by ", other.id,
                                    ", and an edge can't be shared"));
            }
            uses.push_back(use);
        }
    }
}

void Machine::wire(const MachineHost& host) {
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        Slot& slot = *slots_[i];
        Device& device = *slot.device;
        const PlacedDevice& placed = placed_[i];
        if (placed.pci) {
            const unsigned pin = static_cast<const PciFunction&>(device).identity().interrupt_pin;
            if (pin != 0)
                slot.lines[0]->connect(pci_.connect_intx(*placed.pci, pin - 1));
            continue;
        }
        for (std::size_t line = 0; line < slot.lines.size(); ++line)
            slot.lines[line]->connect(
                host.irqs.connect(placed.gsis[line], device.lines()[line].edge_triggered));
        for (unsigned region = 0; region < placed.bases.size(); ++region) {
            if (placed.bases[region] != unplaced)
                placements_.place_or_throw(device, region, placed.bases[region]);
        }
    }
}

Device* Machine::find(std::string_view id) const noexcept {
    for (std::size_t i = 0; i < placed_.size(); ++i) {
        if (placed_[i].id == id)
            return slots_[i]->device.get();
    }
    return nullptr;
}

void Machine::start() {
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        try {
            slots_[i]->device->start();
        } catch (...) {
            halt_last_to_first(i);
            throw;
        }
    }
}

void Machine::pause() {
    for (std::size_t i = slots_.size(); i-- > 0;)
        slots_[i]->device->pause();
}

bool Machine::drained() {
    bool all = true;
    for (const auto& slot : slots_)
        all = slot->device->drained() && all;
    return all;
}

void Machine::resume() {
    for (const auto& slot : slots_)
        slot->device->resume();
}

void Machine::reset() {
    for (const auto& slot : slots_)
        slot->device->reset();
}

void Machine::halt() {
    halt_last_to_first(slots_.size());
}

void Machine::halt_last_to_first(std::size_t count) {
    while (count-- > 0)
        slots_[count]->device->halt();
}

} // namespace coldstart
