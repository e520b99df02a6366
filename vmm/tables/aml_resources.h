// Resource templates: what _CRS says a device decodes and which interrupts it raises.
// Source: ACPI 6.4, section 6.4 (resource data types).
// Missing: DMA, GPIO and serial bus descriptors, and choices (_PRS) of anything but interrupts.
#pragma once

#include "vmm/tables/aml.h"

#include <cstdint>
#include <span>
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

    /// Interrupt (extended), level, active high, shared, of a consumer: any one of `gsis`.
    ResourceTemplate& interrupt_choice(std::span<const std::uint32_t> gsis);

    // What a bridge passes on to the devices behind it (ResourceProducer). Ends are inclusive.
    ResourceTemplate& bus_window(std::uint8_t first, std::uint8_t last);
    ResourceTemplate& io_window(std::uint16_t first, std::uint16_t last);
    ResourceTemplate& memory32_window(std::uint32_t first, std::uint32_t last, bool cacheable);
    ResourceTemplate& memory64_window(std::uint64_t first, std::uint64_t last, bool cacheable);

    bool empty() const noexcept { return bytes_.empty(); }

    /// The buffer object, closed by an end tag.
    Term term() const;

  private:
    template <typename Address>
    void put_address_space(unsigned tag, unsigned type, unsigned type_flags, Address first,
                           Address last);
    void put8(unsigned value) { bytes_.push_back(static_cast<std::byte>(value)); }

    std::vector<std::byte> bytes_;
};

} // namespace coldstart::aml
