// A virtio device as a PCI function.
// Source: virtio 1.2, section 4.1 (virtio over PCI bus), modern only.
//
// BAR 1 holds the MSI-X table and its pending bits, BAR 4 the common configuration, the ISR
// status, the device configuration and the doorbells, a page each. A queue's doorbell is its own
// 16-bit register, so that each can be an ioeventfd.
// Interrupts: MSI-X, one vector a queue and one for the configuration, or INTA with the ISR status.
// Without the bus master bit the function touches no memory: it is paused, and sends no message.
// Missing: the legacy I/O BAR (transitional devices), VIRTIO_F_RING_RESET, shared memory,
// VIRTIO_F_NOTIFICATION_DATA and _NOTIF_CONFIG_DATA, SR-IOV, MSI, a PCI Express capability.
//
// Locks, outermost first: configuration space, the device's, interrupt_mutex_.
#pragma once

#include "devices/core/pci/msix.h"
#include "devices/core/pci/pci_function.h"
#include "virtio/transport/core/transport_core.h"
#include "virtio/transport/pci/option_rom.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

namespace coldstart {

namespace virtio_pci {
enum class Structure : std::uint8_t;
}

/// What of the machine a PCI transport uses; all of it outlives the device.
struct VirtioPciHost {
    const GuestMemory& memory;
    Reactor& reactor;
    RegionPlacer& placer;
    MsiRouter& msis;
    IrqLine* intx = nullptr; ///< the line that lines() declares
};

class VirtioPciDevice final : public PciFunction, private VirtioSignals {
  public:
    /// `option_rom` may be empty: then there is no ROM BAR. Throws Error when it is none, or when
    /// the host has no messages or descriptors left.
    VirtioPciDevice(std::unique_ptr<VirtioDevice> device, const VirtioPciHost& host,
                    ByteView option_rom = {});
    ~VirtioPciDevice() override;

    VirtioDevice& device() noexcept { return core_.device(); }
    /// As VirtioState::tell_milestones.
    void tell_milestones(MilestoneSink& milestones, std::string name) noexcept {
        core_.state().tell_milestones(milestones, std::move(name));
    }

    std::string_view type() const noexcept override { return "virtio-pci"; }
    std::span<const Doorbell> doorbells() const noexcept override { return doorbells_; }

    std::uint64_t read(unsigned region, std::uint64_t offset, unsigned width) noexcept override;
    void write(unsigned region, std::uint64_t offset, unsigned width,
               std::uint64_t value) noexcept override;

    void start() override { core_.start(); }
    void pause() override;
    bool drained() override { return core_.drained(); }
    void resume() override;
    void reset() override;
    void halt() override { core_.halt(); }
    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;

  private:
    struct Registers {
        std::uint32_t device_feature_select = 0;
        std::uint32_t driver_feature_select = 0;
        std::uint16_t queue_select = 0;
    };

    void add_bars();
    unsigned add_structure(virtio_pci::Structure structure, std::uint64_t at, unsigned cap_bytes);
    void add_capabilities();

    std::uint64_t read_structures(std::uint64_t offset, unsigned width) noexcept;
    void write_structures(std::uint64_t offset, unsigned width, std::uint64_t value) noexcept;
    std::uint64_t read_common(std::uint64_t offset, unsigned width) noexcept;
    void write_common(std::uint64_t offset, unsigned width, std::uint64_t value) noexcept;
    std::uint32_t read_field(std::uint64_t offset) noexcept;
    std::uint32_t read_queue_field(const SplitQueue& queue, std::uint64_t offset) const noexcept;
    void write_field(std::uint64_t offset, std::uint32_t value) noexcept;
    void write_queue_field(std::uint64_t offset, std::uint32_t value) noexcept;
    std::uint64_t read_device_config(std::uint64_t offset, unsigned width) noexcept;
    void write_device_config(std::uint64_t offset, unsigned width, std::uint64_t value) noexcept;
    void reset_registers() noexcept;

    // PciFunction.
    void config_written(unsigned offset, unsigned width) noexcept override;
    void config_about_to_be_read(unsigned offset, unsigned width) noexcept override;
    struct WindowTarget;
    WindowTarget window_target() const noexcept;

    // VirtioSignals.
    void queue_interrupt(unsigned index) noexcept override;
    void config_interrupt() noexcept override;
    void wake_queue(unsigned index) noexcept override { core_.wake(index); }

    void send(std::uint16_t vector) noexcept;
    void change_isr(std::uint8_t clear, std::uint8_t set) noexcept;
    std::uint8_t take_isr() noexcept;
    void follow_bus_master() noexcept;
    void restore_parts(StateReader& reader);
    void restore_registers(StateReader& reader);

    const OptionRom rom_;
    unsigned msix_region_ = 0, structures_region_ = 0;
    std::uint64_t pending_at_ = 0; ///< of the MSI-X pending bits in their BAR
    unsigned msix_cap_ = 0, window_cap_ = 0;

    mutable std::mutex interrupt_mutex_;
    std::uint8_t isr_ = 0; ///< under interrupt_mutex_
    MsixTable msix_;
    std::atomic<std::uint16_t> config_vector_;
    std::vector<std::atomic<std::uint16_t>> queue_vectors_;

    Registers registers_; // this and what follows under the device lock
    bool machine_paused_ = false;
    bool running_ = true;
    TransportCore core_;
    std::vector<Doorbell> doorbells_;
};

} // namespace coldstart
