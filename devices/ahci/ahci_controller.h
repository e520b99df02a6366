// The SATA controller of board pc: an AHCI host bus adapter as in Intel's ICH9, with six ports for
// disks and CD drives.
// Sources: Serial ATA AHCI 1.3.1; Intel ICH9 data sheet, chapter 15 (PCI 00:1F.2); PCI 3.0,
// section 6.8.1 (MSI).
//
// Registers are in BAR 5, reached as well through the index/data pair in BAR 4. Interrupts come by
// INTA, or by one message when the guest enables MSI. A vCPU starts commands and never waits for
// the host; they run on the I/O thread.
// Resets (GHC.HR) end when the host is done with what they cut short.
// Missing: legacy IDE mode, command completion coalescing, enclosure management, PCI power states,
// port multipliers, hot-plug.
//
// Threads: read, write and configuration from any vCPU; commands and completions on the I/O thread.
#pragma once

#include "devices/ahci/ahci_port.h"
#include "devices/core/pci/pci_function.h"
#include "vmm/base/irq_router.h"
#include "vmm/base/reactor.h"
#include "vmm/base/unique_fd.h"

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

namespace coldstart {

/// What the controller needs from around it; all of it outlives the controller.
struct AhciHost {
    const GuestMemory& memory;
    Reactor& reactor;
    RegionPlacer& placer;
    MsiRouter& msis;
    IrqLine& intx;
};

class AhciController final : public PciFunction, private AhciPortOwner {
  public:
    /// `drives` are plugged into ports 0, 1, ...; nullptr leaves a port empty. Throws UsageError
    /// for more drives than ports.
    AhciController(const AhciHost& host, std::vector<std::unique_ptr<AtaDrive>> drives);

    std::string_view type() const noexcept override { return "ahci"; }
    std::uint64_t read(unsigned region, std::uint64_t offset, unsigned width) noexcept override;
    void write(unsigned region, std::uint64_t offset, unsigned width,
               std::uint64_t value) noexcept override;

    void start() override { kick(); }
    void pause() override;
    bool drained() override;
    void resume() override;
    void reset() override;
    void halt() override { pause(); }
    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;

  private:
    struct State {
        std::uint32_t host_control = ahci::ghc_ahci;
        std::uint32_t interrupt_status = 0;
        std::uint32_t handoff = 0;
        std::uint32_t index = 0; ///< of the index/data pair
    };

    // AhciPortOwner.
    bool may_use_memory() const noexcept override { return is_bus_master(); }
    void port_ready(AhciPort& port) noexcept override;

    // PciFunction.
    void config_written(unsigned offset, unsigned width) noexcept override;

    /// The I/O thread is to look at the ports.
    void kick() noexcept;
    void run_ports() noexcept;

    std::uint64_t read_registers(std::uint64_t offset, unsigned width) const noexcept;
    void write_registers(std::uint64_t offset, unsigned width, std::uint64_t value) noexcept;
    std::uint32_t read_register(unsigned offset) const noexcept;
    void write_register(unsigned offset, std::uint32_t value, std::uint32_t mask) noexcept;
    void write_host_control(std::uint32_t value) noexcept;
    void write_handoff(std::uint32_t value, std::uint32_t mask) noexcept;
    std::uint64_t read_index_pair(std::uint64_t offset, unsigned width) const noexcept;
    void write_index_pair(std::uint64_t offset, unsigned width, std::uint64_t value) noexcept;

    bool idle() const noexcept;
    void finish_reset() noexcept;
    /// Recomputes the interrupt; `again`: a message is due even if no bit is new.
    void sync(bool again = false) noexcept;
    void load_msi(std::uint32_t control, MsiMessage message) noexcept;

    std::unique_ptr<MsiLine> msi_;
    std::atomic<bool> msi_enabled_{false};
    unsigned register_region_ = 0;
    UniqueFd kick_;

    mutable std::mutex lock_; // guards what follows
    State state_;
    bool resetting_ = false; ///< GHC.HR is set: commands that the reset cut short are under way
    std::vector<std::unique_ptr<AhciPort>> ports_;

    std::unique_ptr<Watch> watch_; // last: ends before anything its callback uses
};

} // namespace coldstart
