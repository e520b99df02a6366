// A board come alive: its devices made, connected to interrupts, put on the bus, and taken through
// their lives together.
//
// Order of the lifecycle (devices/core/device.h says what each step means). Devices stand in the
// board's order, those others rely on first:
//   start, resume, reset   first to last
//   pause, halt            last to first, so that what hands work to others stops before them
//   drained                every device is asked every time; true when all are
// They are destroyed last to first, after the vCPUs are joined and halt().
//
// Threads: the control thread for everything but bus(), whose accesses come from vCPU threads.
// Missing: saving and restoring the devices together; adding and removing them at run time.
#pragma once

#include "devices/core/pci/pci_bus.h"
#include "vmm/base/irq_router.h"
#include "vmm/base/memory_mapper.h"
#include "vmm/machine/bus.h"
#include "vmm/machine/catalogue.h"
#include "vmm/machine/placements.h"

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace coldstart {

/// What the machine needs from around it; everything outlives it.
struct MachineHost {
    const VmConfig& config;
    const GuestMemory& memory;
    Clock& clock;
    PowerControl& power;
    Reactor& reactor;
    IrqRouter& irqs;
    DoorbellRegistry* doorbells = nullptr;     ///< none: kicks come as ordinary writes
    MemoryMapper* mapper = nullptr;            ///< none: memory of devices goes by the bus
    ProcessorInterrupts* processors = nullptr; ///< as DeviceHost's
    MsiRouter* msis = nullptr;                 ///< none: a device that wants messages can't be made
    PostCodeSink* post_codes = nullptr; ///< who hears of POST codes; none: they are only counted
    ReadinessSink* readiness = nullptr; ///< who hears of the guest's lines; none: nobody
    MilestoneSink* milestones = &no_milestones();
    std::span<std::byte> firmware = {}; ///< board pc: whole pages that end at 4 GiB
    const FwCfgItems* fw_cfg = nullptr; ///< what firmware is told; none: nothing
    /// Behind consoles, by the name the board uses: "com1", "console", "debugcon".
    std::map<std::string, ByteStream*, std::less<>> streams = {};
    /// The firmware's last bytes as the chipset shows them below 1 MiB, ending at 0xfffff: whole
    /// pages, at most 256 KiB; none where there is no firmware.
    std::span<std::byte> low_rom = {};
    NetBackendMaker make_net = {};                      ///< as DeviceHost's
    std::shared_ptr<VsockListener> vsock_listener = {}; ///< as DeviceHost's
    /// What a metadata service tells the guest; none: there can't be one.
    MetadataSource* metadata = nullptr;
    /// None: the host or the board has no system management mode. `mapper` is there with it.
    SystemManagement* smm = nullptr;
};

class Machine {
  public:
    /// Throws Error when a type is not in the catalogue, a device can't be made, its shape is not
    /// what the board expects, or two devices claim the same addresses, edge or id; UsageError as
    /// check_mmds() does.
    Machine(std::span<const BoardDevice> board, const MachineHost& host,
            std::span<const CatalogueEntry> catalogue = device_catalogue());
    ~Machine();
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    Bus& bus() noexcept { return bus_; }
    PciBus& pci() noexcept { return pci_; }
    /// In the board's order: what the ACPI tables are made of.
    std::span<const PlacedDevice> devices() const noexcept { return placed_; }
    /// nullptr when there is none of this id.
    Device* find(std::string_view id) const noexcept;

    /// If a device throws, those started before it are halted and the Error goes on.
    void start();
    void pause();
    bool drained();
    void resume();
    void reset();
    void halt();

  private:
    struct Slot;

    void make(const BoardDevice& entry, const MachineHost& host,
              std::span<const CatalogueEntry> catalogue);
    void add_function(const BoardDevice& entry, Device& device);
    void wire(const MachineHost& host);
    void check_interrupts() const;
    void halt_last_to_first(std::size_t count);

    class NoMapper;
    class NoMessages;

    std::unique_ptr<NoMapper> no_mapper_;
    std::unique_ptr<NoMessages> no_messages_;
    Bus bus_;
    Placements placements_;
    PciBus pci_;
    std::vector<std::unique_ptr<Slot>> slots_;
    std::vector<PlacedDevice> placed_;
};

} // namespace coldstart
