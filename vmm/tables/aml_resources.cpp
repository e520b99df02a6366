#include "vmm/tables/aml_resources.h"

#include <cassert>

namespace coldstart::aml {

namespace {

// Tags: ACPI 6.4 tables 6.27 (small) and 6.40 (large). A small tag carries its length in bits 0-2.
constexpr unsigned tag_irq = 0x22;
constexpr unsigned tag_io = 0x47;
constexpr unsigned tag_end = 0x79;
constexpr unsigned tag_memory32_fixed = 0x86;
constexpr unsigned tag_word_address = 0x88;
constexpr unsigned tag_interrupt = 0x89;
constexpr unsigned tag_qword_address = 0x8a;

constexpr unsigned io_decode16 = 1;
constexpr unsigned memory_read_write = 1;
constexpr unsigned interrupt_consumer = 1 << 0;
constexpr unsigned interrupt_edge = 1 << 1;

// General flags of address space descriptors: both ends fixed, consumer.
constexpr unsigned address_type_memory = 0;
constexpr unsigned address_type_io = 1;
constexpr unsigned address_fixed_consumer = 1 << 3 | 1 << 2 | 1 << 0;
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

Term ResourceTemplate::term() const {
    std::vector<std::byte> closed = bytes_;
    closed.push_back(static_cast<std::byte>(tag_end));
    closed.push_back(std::byte{0}); // checksum 0: not computed (section 6.4.2.9)
    return buffer(closed);
}

} // namespace coldstart::aml
