// The LPC interface bridge of an ICH9, PCI function 00:1f.0, and what hangs on it: the router of
// PCI interrupts, ACPI power management with the TCO watchdog, chipset configuration registers
// (RCBA), APM ports 0xb2 and 0xb3, port 0x92.
// Source: ICH9 data sheet, chapters 10 and 13; ACPI 6.4 section 4.8.
//
// A plain device on its board, which places "apm" at 0xb2 and "port92" at 0x92 and connects the
// lines to ich9::line_gsis; "pm" appears where the guest puts PMBASE once ACPI_EN is set, "rcba"
// where RCBA says. The function puts itself on the PCI bus and takes the bus's PIRQs.
//
// Interrupts: PIRQA to PIRQH drive GSI 16 to 23, and, unless bit 7 of their PIRQx_ROUT says no, the
// ISA interrupt named there as well. Only 5, 9, 10 and 11 have a line: a route to another is
// ignored, as a level there would collide with the edges of its device. The SCI goes where
// ACPI_CNTL says: 9, 10, 11, 20 or 21.
//
// Power management: APM_CNT takes ACPI_ENABLE and ACPI_DISABLE, as QEMU's does, without firmware's
// help. Any other value is an SMI if SMI_EN says so (APMC_EN, GBL_SMI_EN), to the processor that
// wrote or, where firmware has asked for that (smi_features.h), to all. On a machine without system
// management mode nothing ever sends one; SMI_EN begins with APMC_EN set there, the sign by which
// SeaBIOS sees SMM as set up already and leaves it alone. SMI_LOCK and TCO_LOCK lock their bits.
// No general-purpose event is ever raised: GPE0_STS is zero, GPE0_EN kept. GCS.NO_REBOOT begins
// set: the watchdog resets only guests that ask for it.
//
// Port 0x92: INIT resets the whole machine; A20 is kept without effect, it is always open.
// Missing: SMIs of other causes (TCO, timers, SLP_EN, BIOS release), GPIO, ELCR (the interrupt controller's, at 0x4d0), NMI control, changing the wiring of
// pins to PIRQs (DxxIR read as the board's), function disable, decode ranges (kept, without effect).
// Threads: any; the timers on the I/O thread.
#pragma once

#include "devices/core/acpi/pm1_block.h"
#include "devices/core/acpi/power_button.h"
#include "devices/core/pci/pci_bus.h"
#include "devices/ich9/smi_features.h"
#include "devices/ich9/spec.h"
#include "devices/ich9/tco.h"
#include "vmm/base/power.h"
#include "vmm/base/smm.h"

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>

namespace coldstart {

class LpcFunction;
struct LpcWiring;

/// What an Ich9Lpc needs around it; all of it outlives the device.
struct Ich9LpcHost {
    PciBus& pci;
    RegionPlacer& placer;
    Clock& clock;
    PowerControl& power;
    std::span<IrqLine* const> lines; ///< as many as ich9::line_gsis, or more
    SystemManagement* smm = nullptr; ///< none: the machine has no such mode
};

class Ich9Lpc final : public Device, public PirqSink, public PowerButton, public SmiFeatures {
  public:
    /// Throws Error when 00:1f.0 is taken or lines are missing.
    explicit Ich9Lpc(const Ich9LpcHost& host);
    ~Ich9Lpc() override;

    std::string_view type() const noexcept override { return "ich9-lpc"; }
    std::span<const RegionShape> regions() const noexcept override;
    std::span<const LineShape> lines() const noexcept override;
    AcpiDescription acpi() const override;

    std::uint64_t read(unsigned region, std::uint64_t offset, unsigned width) noexcept override;
    void write(unsigned region, std::uint64_t offset, unsigned width,
               std::uint64_t value) noexcept override;

    void resume() override;
    void reset() override;
    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;

    void set_pirq(unsigned pirq, bool asserted) noexcept override;
    void press_power_button() noexcept override;
    void request_smi_features(std::uint64_t features) noexcept override;
    bool settle_smi_features() noexcept override;

  private:
    static constexpr std::size_t line_count = ich9::line_gsis.size();

    struct Registers {
        std::uint64_t gpe_enable = 0;
        std::uint64_t smi_requested = 0, smi_negotiated = 0; ///< SmiFeatures
        std::uint32_t smi_enable = 0, smi_status = 0;
        std::uint32_t gcs = ich9::gcs_no_reboot, hptc = 0;
        std::uint8_t apm_control = 0, apm_status = 0;
        std::uint8_t port92 = ich9::port92_a20;
        bool smi_settled = false;
    };
    /// What a register access asks of the machine, once the lock is let go.
    struct Wishes {
        bool power_off = false, reset = false, smi = false;
    };

    Registers power_on_registers() const noexcept {
        Registers registers;
        registers.smi_enable = smm_ == nullptr ? ich9::smi_en_apmc : 0;
        return registers;
    }

    // All of these under the lock.
    std::uint32_t read_pm(std::uint64_t offset) noexcept;
    void write_pm(std::uint64_t offset, std::uint32_t mask, std::uint32_t value,
                  Wishes& wishes) noexcept;
    void write_smi_enable(std::uint32_t mask, std::uint32_t value) noexcept;
    std::uint32_t read_rcba(std::uint64_t offset) const noexcept;
    void write_rcba(std::uint64_t offset, std::uint32_t mask, std::uint32_t value) noexcept;
    void write_apm(std::uint64_t offset, std::uint8_t value, Wishes& wishes) noexcept;
    void write_port92(std::uint8_t value, Wishes& wishes) noexcept;
    std::uint32_t sci_gsi() const noexcept;
    void sync() noexcept;

    void rewire(const LpcWiring& wiring) noexcept;
    void watchdog_expired() noexcept;

    PciBus& pci_;
    PowerControl& power_;
    SystemManagement* const smm_;
    std::array<IrqLine*, line_count> lines_{};

    mutable std::mutex lock_; // guards what follows, but for function_
    Registers registers_;
    std::array<std::uint8_t, pirq_count> pirq_rout_{};
    std::array<bool, pirq_count> pirqs_{}; // not saved: the functions behind them drive them anew
    std::uint8_t acpi_cntl_ = 0;
    bool smi_locked_ = false;

    std::unique_ptr<LpcFunction> function_;

    // Last: destroyed first, as their timers' callbacks use the rest.
    Pm1Block pm1_;
    TcoWatchdog tco_;
};

} // namespace coldstart
