// PCI bus 0: which function answers at which address, and how INTx pins reach the chipset's
// interrupt router. Host bridges (ports 0xCF8/0xCFC, ECAM) hand configuration accesses to it.
// Source: PCI Local Bus Specification 3.0, sections 3.2.2.3 and 6.1.
//
// Threads: add, remove and connect_intx while the guest does not run; the rest from any.
// Missing: other buses (reads of those return all ones), hot-plug.
#pragma once

#include "devices/core/pci/pci_address.h"
#include "devices/core/pci/pci_function.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

namespace coldstart {

/// The chipset's PIRQ inputs. A leaf, as IrqLine is.
class PirqSink {
  public:
    virtual ~PirqSink() = default;
    /// `pirq` is 0 (PIRQA) to 7. Called only when the level changes.
    virtual void set_pirq(unsigned pirq, bool asserted) noexcept = 0;
};

/// Hears of each access to configuration space, of any bus. Any thread; a leaf that is quick.
class PciConfigObserver {
  public:
    virtual ~PciConfigObserver() = default;
    virtual void config_accessed() noexcept = 0;
};

class PciBus {
  public:
    /// `function` outlives the bus's use. Throws Error when the address is taken. Sets the
    /// multi-function bit of function 0 when a sibling joins it.
    void add(PciAddress address, PciFunction& function);
    PciFunction* find(PciAddress address) const noexcept;
    /// Takes away who stands there, if anyone; the guest does not run. The multi-function bits
    /// stay as they are.
    void remove(PciAddress address) noexcept;

    /// All ones where no function stands. `offset` below PciFunction::config_bytes; an access may
    /// not cross a doubleword.
    std::uint32_t config_read(unsigned bus, PciAddress address, unsigned offset,
                              unsigned width) noexcept;
    void config_write(unsigned bus, PciAddress address, unsigned offset, unsigned width,
                      std::uint32_t value) noexcept;

    /// nullptr: nobody. While the guest does not run; it outlives the guest.
    void set_config_observer(PciConfigObserver* observer) noexcept { observer_ = observer; }

    /// The pin (0: INTA) of the function at `address`: several pins wired to one PIRQ are OR-ed.
    std::unique_ptr<IrqLine> connect_intx(PciAddress address, unsigned pin);
    /// Who turns PIRQs into interrupts; nullptr: nobody. It outlives the functions.
    void set_pirq_sink(PirqSink* sink) noexcept;

  private:
    class IntxLine;

    void change_pirq(unsigned pirq, int by) noexcept;

    std::array<PciFunction*, 32 * 8> functions_{};
    std::mutex pirq_mutex_;
    std::array<int, pirq_count> asserted_pins_{};
    PirqSink* sink_ = nullptr;
    PciConfigObserver* observer_ = nullptr;
};

} // namespace coldstart
