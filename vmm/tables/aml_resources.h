// Resource templates: what _CRS says a device decodes and which interrupts it raises.
// Source: ACPI 6.4, section 6.4 (resource data types).
// Missing: DMA, GPIO and serial bus descriptors, and every descriptor that gives choices (_PRS).
#pragma once

#include "vmm/tables/aml.h"

#include <cstdint>
#include <vector>

namespace coldstart::aml {

class ResourceTemplate {
  public:
    /// IO: ports base..base+length-1, 16-bit decode.
    ResourceTemplate& io(std::uint16_t base, std::uint8_t length);
    /// WordIO, consumer: as io(), for more than 255 ports; `length` is not 0.
    ResourceTemplate& word_io(std::uint16_t base, std::uint16_t length);
    /// IRQNoFlags: an edge-triggered, active-high ISA interrupt, `irq` 0..15.
    ResourceTemplate& irq_no_flags(unsigned irq);
    /// Interrupt (extended): one GSI, active high, exclusive, of a consumer.
    ResourceTemplate& interrupt(std::uint32_t gsi, bool edge_triggered);
    /// Memory32Fixed, ReadWrite.
    ResourceTemplate& memory32_fixed(std::uint32_t base, std::uint32_t length);
    /// QWordMemory: consumer, fixed, non-cacheable, ReadWrite; `length` is not 0.
    ResourceTemplate& qword_memory(std::uint64_t base, std::uint64_t length);

    bool empty() const noexcept { return bytes_.empty(); }

    /// The buffer object, closed by an end tag.
    Term term() const;

  private:
    void put8(unsigned value) { bytes_.push_back(static_cast<std::byte>(value)); }

    std::vector<std::byte> bytes_;
};

} // namespace coldstart::aml
