#include "devices/core/pci/pci_bus.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <cassert>

namespace coldstart {
namespace {

constexpr std::size_t slot_of(PciAddress address) noexcept {
    return std::size_t{address.device} * 8 + address.function;
}

} // namespace

class PciBus::IntxLine final : public IrqLine {
  public:
    IntxLine(PciBus& bus, unsigned pirq) : bus_(bus), pirq_(pirq) {}
    ~IntxLine() override { IntxLine::set_level(false); }

    void set_level(bool asserted) noexcept override {
        if (asserted_.exchange(asserted, std::memory_order_acq_rel) != asserted)
            bus_.change_pirq(pirq_, asserted ? 1 : -1);
    }

  private:
    PciBus& bus_;
    unsigned pirq_;
    std::atomic<bool> asserted_{false};
};

void PciBus::add(PciAddress address, PciFunction& function) {
    assert(address.device < 32 && address.function < 8);
    PciFunction*& place = functions_[slot_of(address)];
    if (place != nullptr)
        throw Error(
            cat("PCI address 00:", hex(address.device), ".", address.function, " is taken"));
    place = &function;
    PciFunction* const first = functions_[slot_of({address.device, 0})];
    bool has_siblings = false;
    for (std::uint8_t i = 1; i < 8; ++i)
        has_siblings = has_siblings || functions_[slot_of({address.device, i})] != nullptr;
    if (first != nullptr && has_siblings)
        first->set_multifunction();
}

PciFunction* PciBus::find(PciAddress address) const noexcept {
    return address.device < 32 && address.function < 8 ? functions_[slot_of(address)] : nullptr;
}

void PciBus::remove(PciAddress address) noexcept {
    assert(address.device < 32 && address.function < 8);
    functions_[slot_of(address)] = nullptr;
}

std::uint32_t PciBus::config_read(unsigned bus, PciAddress address, unsigned offset,
                                  unsigned width) noexcept {
    if (observer_ != nullptr)
        observer_->config_accessed();
    PciFunction* const function = bus == 0 ? find(address) : nullptr;
    return function != nullptr ? function->config_read(offset, width)
                               : static_cast<std::uint32_t>(all_ones(width));
}

void PciBus::config_write(unsigned bus, PciAddress address, unsigned offset, unsigned width,
                          std::uint32_t value) noexcept {
    if (observer_ != nullptr)
        observer_->config_accessed();
    PciFunction* const function = bus == 0 ? find(address) : nullptr;
    if (function != nullptr)
        function->config_write(offset, width, value);
}

std::unique_ptr<IrqLine> PciBus::connect_intx(PciAddress address, unsigned pin) {
    return std::make_unique<IntxLine>(*this, pirq_of(address.device, pin));
}

void PciBus::set_pirq_sink(PirqSink* sink) noexcept {
    const std::lock_guard guard(pirq_mutex_);
    sink_ = sink;
}

void PciBus::change_pirq(unsigned pirq, int by) noexcept {
    const std::lock_guard guard(pirq_mutex_);
    int& pins = asserted_pins_[pirq];
    const bool was = pins > 0;
    pins += by;
    if (sink_ != nullptr && was != (pins > 0))
        sink_->set_pirq(pirq, pins > 0);
}

} // namespace coldstart
