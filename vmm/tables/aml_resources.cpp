#include "vmm/tables/aml_resources.h"

#include <cassert>

namespace coldstart::aml {

namespace {

// Tags: ACPI 6.4 tables 6.27 (small) and 6.40 (large). A small tag carries its length in bits 0-2.
constexpr unsigned tag_irq = 0x22;
constexpr unsigned tag_io = 0x47;
constexpr unsigned tag_end = 0x79;
constexpr unsigned tag_memory32_fixed = 0x86;
constexpr unsigned tag_dword_address = 0x87;
constexpr unsigned tag_word_address = 0x88;
constexpr unsigned tag_interrupt = 0x89;
constexpr unsigned tag_qword_address = 0x8a;

constexpr unsigned io_decode16 = 1;
constexpr unsigned memory_read_write = 1;
constexpr unsigned interrupt_consumer = 1 << 0;
constexpr unsigned interrupt_edge = 1 << 1;
constexpr unsigned interrupt_shared = 1 << 3;

constexpr unsigned memory_cacheable = 1 << 1;

// General flags of address space descriptors: both ends fixed, consumer or producer.
constexpr unsigned address_type_memory = 0;
constexpr unsigned address_type_io = 1;
constexpr unsigned address_type_bus = 2;
constexpr unsigned address_fixed_consumer = 1 << 3 | 1 << 2 | 1 << 0;
constexpr unsigned address_fixed_producer = 1 << 3 | 1 << 2;
constexpr unsigned io_entire_range = 3;

} // namespace

ResourceTemplate& ResourceTemplate::io(std::uint16_t base, std::uint8_t length) {
    put8(tag_io);
    put8(io_decode16);
    append_le(bytes_, base); // minimum
    append_le(bytes_, base); // maximum
    put8(1);                 // alignment
    put8(length);
    return *this;
}

ResourceTemplate& ResourceTemplate::word_io(std::uint16_t base, std::uint16_t length) {
    assert(length != 0 && base + length <= 0x10000);
    put8(tag_word_address);
    append_le<std::uint16_t>(bytes_, 13);
    put8(address_type_io);
    put8(address_fixed_consumer);
    put8(io_entire_range);
    append_le<std::uint16_t>(bytes_, 0); // granularity
    append_le(bytes_, base);
    append_le(bytes_, static_cast<std::uint16_t>(base + length - 1));
    append_le<std::uint16_t>(bytes_, 0); // translation
    append_le(bytes_, length);
    return *this;
}

ResourceTemplate& ResourceTemplate::irq_no_flags(unsigned irq) {
    assert(irq < 16);
    put8(tag_irq);
    append_le(bytes_, static_cast<std::uint16_t>(1u << irq));
    return *this;
}

ResourceTemplate& ResourceTemplate::interrupt(std::uint32_t gsi, bool edge_triggered) {
    put8(tag_interrupt);
    append_le<std::uint16_t>(bytes_, 6);
    put8(interrupt_consumer | (edge_triggered ? interrupt_edge : 0));
    put8(1); // how many
    append_le(bytes_, gsi);
    return *this;
}

ResourceTemplate& ResourceTemplate::memory32_fixed(std::uint32_t base, std::uint32_t length) {
    put8(tag_memory32_fixed);
    append_le<std::uint16_t>(bytes_, 9);
    put8(memory_read_write);
    append_le(bytes_, base);
    append_le(bytes_, length);
    return *this;
}

ResourceTemplate& ResourceTemplate::qword_memory(std::uint64_t base, std::uint64_t length) {
    assert(length != 0 && base + (length - 1) >= base);
    put8(tag_qword_address);
    append_le<std::uint16_t>(bytes_, 43);
    put8(address_type_memory);
    put8(address_fixed_consumer);
    put8(memory_read_write);
    append_le<std::uint64_t>(bytes_, 0); // granularity
    append_le(bytes_, base);
    append_le(bytes_, base + (length - 1));
    append_le<std::uint64_t>(bytes_, 0); // translation
    append_le(bytes_, length);
    return *this;
}

ResourceTemplate& ResourceTemplate::interrupt_choice(std::span<const std::uint32_t> gsis) {
    assert(!gsis.empty() && gsis.size() <= 0xff);
    put8(tag_interrupt);
    append_le(bytes_, static_cast<std::uint16_t>(2 + 4 * gsis.size()));
    put8(interrupt_consumer | interrupt_shared);
    put8(static_cast<unsigned>(gsis.size()));
    for (const std::uint32_t gsi : gsis)
        append_le(bytes_, gsi);
    return *this;
}

/// A producer's window, its addresses as wide as `Address`: the same ones on both of its sides.
template <typename Address>
void ResourceTemplate::put_address_space(unsigned tag, unsigned type, unsigned type_flags,
                                         Address first, Address last) {
    assert(first <= last);
    constexpr std::size_t header_bytes = 3;
    put8(tag);
    append_le(bytes_, static_cast<std::uint16_t>(header_bytes + 5 * sizeof(Address)));
    put8(type);
    put8(address_fixed_producer);
    put8(type_flags);
    append_le(bytes_, Address{0}); // granularity
    append_le(bytes_, first);
    append_le(bytes_, last);
    append_le(bytes_, Address{0}); // translation
    append_le(bytes_, static_cast<Address>(last - first + 1));
}

ResourceTemplate& ResourceTemplate::bus_window(std::uint8_t first, std::uint8_t last) {
    put_address_space<std::uint16_t>(tag_word_address, address_type_bus, 0, first, last);
    return *this;
}

ResourceTemplate& ResourceTemplate::io_window(std::uint16_t first, std::uint16_t last) {
    put_address_space(tag_word_address, address_type_io, io_entire_range, first, last);
    return *this;
}

ResourceTemplate& ResourceTemplate::memory32_window(std::uint32_t first, std::uint32_t last,
                                                    bool cacheable) {
    put_address_space(tag_dword_address, address_type_memory,
                      memory_read_write | (cacheable ? memory_cacheable : 0), first, last);
    return *this;
}

ResourceTemplate& ResourceTemplate::memory64_window(std::uint64_t first, std::uint64_t last,
                                                    bool cacheable) {
    put_address_space(tag_qword_address, address_type_memory,
                      memory_read_write | (cacheable ? memory_cacheable : 0), first, last);
    return *this;
}

Term ResourceTemplate::term() const {
    std::vector<std::byte> closed = bytes_;
    closed.push_back(static_cast<std::byte>(tag_end));
    closed.push_back(std::byte{0}); // checksum 0: not computed (section 6.4.2.9)
    return buffer(closed);
}

} // namespace coldstart::aml
