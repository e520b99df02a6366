// A virtio device behind memory-mapped registers.
// Source: virtio 1.2, section 4.2 (virtio over MMIO), register version 2.
//
// The region is one page, not the 0x200 bytes the registers need: then no two devices share a page
// and each can get a mapping of its own.
// The line is edge-triggered: every notification is a pulse, so that the board can wire it to an
// irqfd without resampling. InterruptStatus still says why.
// Missing: the legacy register layout (version 1), shared memory regions, VIRTIO_F_RING_RESET
// (QueueReset), VIRTIO_F_NOTIFICATION_DATA.
#pragma once

#include "devices/core/device.h"
#include "virtio/transport/core/transport_core.h"

#include <array>
#include <atomic>
#include <memory>
#include <vector>

namespace coldstart {

class VirtioMmioDevice final : public Device, private VirtioSignals {
  public:
    /// Memory, line and reactor outlive the device.
    VirtioMmioDevice(std::unique_ptr<VirtioDevice> device, const GuestMemory& memory, IrqLine& line,
                     Reactor& reactor);
    ~VirtioMmioDevice() override;

    VirtioDevice& device() noexcept { return core_.device(); }
    /// As VirtioState::tell_milestones.
    void tell_milestones(MilestoneSink& milestones, std::string name) noexcept {
        core_.state().tell_milestones(milestones, std::move(name));
    }

    std::string_view type() const noexcept override { return "virtio-mmio"; }
    std::span<const RegionShape> regions() const noexcept override;
    std::span<const LineShape> lines() const noexcept override;
    std::span<const Doorbell> doorbells() const noexcept override { return doorbells_; }
    AcpiDescription acpi() const override;

    std::uint64_t read(unsigned region, std::uint64_t offset, unsigned width) noexcept override;
    void write(unsigned region, std::uint64_t offset, unsigned width,
               std::uint64_t value) noexcept override;

    void start() override { core_.start(); }
    void pause() override { core_.pause(); }
    bool drained() override { return core_.drained(); }
    void resume() override { core_.resume(); }
    void reset() override;
    void halt() override { core_.halt(); }
    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;

  private:
    struct Registers {
        std::uint32_t device_features_sel = 0;
        std::uint32_t driver_features_sel = 0;
        std::uint32_t queue_sel = 0;
    };

    std::uint32_t read_register(std::uint64_t offset) noexcept;
    void write_register(std::uint64_t offset, std::uint32_t value) noexcept;
    void write_queue_register(std::uint64_t offset, std::uint32_t value) noexcept;
    void reset_registers() noexcept;
    void save_locked(StateWriter& writer) const;
    void restore_locked(StateReader& reader);

    void queue_interrupt(unsigned index) noexcept override;
    void config_interrupt() noexcept override;
    void wake_queue(unsigned index) noexcept override { core_.wake(index); }

    IrqLine& line_;
    Registers registers_; // under the device lock
    std::atomic<std::uint32_t> interrupt_status_ = 0;
    TransportCore core_;
    std::vector<Doorbell> doorbells_;
};

} // namespace coldstart
