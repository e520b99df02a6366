// The device contract (docs/devices.md). A device is a register core in a thin shell: it sees
// offsets inside its regions, interrupt lines, a clock and, if it moves data, guest memory; never
// an address, a GSI, KVM or a thread of its own.
//
// What a device needs is its *shape* (regions, lines); where it stands is its *placement*, which
// the board gives. Bus wiring, ACPI resources and documentation derive from that pair, so a device
// says each thing once, beside its code.
//
// Threads: read, write and save may be called by any vCPU thread at any time; a device guards its
// state with its own lock. While that lock is held it may drive an IrqLine (a leaf) and call
// nothing else outside itself. After every mutation one sync() recomputes the interrupt level.
#pragma once

#include "devices/core/acpi_description.h"
#include "devices/core/pci/pci_address.h"
#include "vmm/base/irq_line.h"
#include "vmm/base/memory_mapper.h"
#include "vmm/base/state_io.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace coldstart {

enum class BusKind : std::uint8_t { pio, mmio };

/// One window of registers a device needs.
struct RegionShape {
    std::string_view name; ///< for logs and documentation: "registers", "config"
    BusKind bus = BusKind::pio;
    std::uint64_t size_bytes = 0; ///< 1..65536 for pio; any for mmio
    /// Of an mmio region that is memory (a frame buffer, a ROM): its bytes, as many as size_bytes,
    /// whole pages. Where the machine can, it shows them to the guest without an exit; read() and
    /// write() still serve them, for the moments in which it can't.
    std::byte* memory = nullptr;
    MemoryAccess memory_access = MemoryAccess::read_write;
};

struct LineShape {
    std::string_view name;
    bool edge_triggered = false; ///< else level, active high
};

/// A write that KVM may turn into an eventfd signal without an exit (ioeventfd): `width` bytes
/// equal to `value` at `offset` of region `region`. Where the board does not register it, the
/// write reaches Device::write as any other, and the device signals the descriptor itself.
struct Doorbell {
    unsigned region = 0;
    std::uint64_t offset = 0;
    unsigned width = 0;
    std::uint64_t value = 0;
    int event_fd = -1; ///< owned by the device
};

class Device {
  public:
    Device() = default;
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;
    virtual ~Device() = default;

    /// The catalogue name: "uart16550", "virtio-mmio".
    virtual std::string_view type() const noexcept = 0;

    // Shape: constant from construction on.
    virtual std::span<const RegionShape> regions() const noexcept = 0;
    virtual std::span<const LineShape> lines() const noexcept { return {}; }
    virtual std::span<const Doorbell> doorbells() const noexcept { return {}; }
    virtual AcpiDescription acpi() const { return {}; }

    /// A guest access of `width` bytes (1, 2, 4 or 8) wholly inside region `region`; any alignment.
    /// A width the device does not know reads as all ones and writes nothing. The caller masks
    /// the result to `width`.
    virtual std::uint64_t read(unsigned region, std::uint64_t offset, unsigned width) noexcept = 0;
    virtual void write(unsigned region, std::uint64_t offset, unsigned width,
                       std::uint64_t value) noexcept = 0;
    /// The same by a processor in system management mode. A device to which that makes no
    /// difference leaves these alone.
    virtual std::uint64_t read_in_smm(unsigned region, std::uint64_t offset,
                                      unsigned width) noexcept {
        return read(region, offset, width);
    }
    virtual void write_in_smm(unsigned region, std::uint64_t offset, unsigned width,
                              std::uint64_t value) noexcept {
        write(region, offset, width, value);
    }

    // Lifecycle. The machine calls these from its control thread:
    //   start    once, before the first vCPU runs
    //   pause    the vCPUs stand still; stop taking new work from the outside and from queues
    //   drained  true when no request is in flight any more; asked again until it is
    //   resume   after pause; the vCPUs run soon
    //   reset    back to the power-on state, RAM kept; the vCPUs stand still; called when drained
    //   halt     the vCPUs are joined; let go of the outside world; nothing is called after it
    virtual void start() {}
    virtual void pause() {}
    virtual bool drained() { return true; }
    virtual void resume() {}
    virtual void reset() = 0;
    virtual void halt() {}

    // Saved state: pure virtual on purpose, a device that forgets it does not compile.
    virtual void save(StateWriter& writer) const = 0;
    virtual void restore(StateReader& reader) = 0;
};

/// Where the board put a device.
struct PlacedDevice {
    std::string id; ///< unique in the machine: "com1", "virtio0"
    const Device* device = nullptr;
    std::vector<std::uint64_t> bases;   ///< one a region: port number or GPA
    std::vector<std::uint32_t> gsis;    ///< one a line
    std::optional<PciAddress> pci = {}; ///< of a PCI function: bases and gsis are the guest's
};

/// All ones in the low `width` bytes: what an unclaimed or unknown read returns.
constexpr std::uint64_t all_ones(unsigned width) noexcept {
    return width >= 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (width * 8)) - 1;
}

} // namespace coldstart
