// AML that does something: operation regions and their fields, methods' arguments and locals,
// assignment, logic and control flow. aml.h has the objects these stand in.
//
//     aml::method("_DIS", 0, false, aml::bit_or(state, aml::integer(0x80), state))
//
// Source: ACPI 6.4, sections 20.2.5.2 (named objects), 20.2.5.3 and 20.2.5.4 (opcodes).
// Missing: loops, events, mutexes, fields narrower than a byte, arithmetic; no table needs them.
#pragma once

#include "vmm/tables/aml.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace coldstart::aml {

Term argument(unsigned number); ///< Arg0 to Arg6
Term local(unsigned number);    ///< Local0 to Local7

/// Target = Value. A target is a name, an argument or a local.
Term assign(const Term& target, const Term& value);
Term bit_and(const Term& left, const Term& right); ///< the value alone
Term bit_and(const Term& left, const Term& right, const Term& target);
Term bit_or(const Term& left, const Term& right, const Term& target);
Term equal(const Term& left, const Term& right);
Term not_equal(const Term& left, const Term& right);
Term is_zero(const Term& value); ///< LNot

Term if_true(const Term& condition, const Term& body);
Term otherwise(const Term& body); ///< right behind an if_true()

/// Notify (object, value): tells the object's driver of an event of section 5.6.6.
Term notify(std::string_view object, std::uint8_t value);

/// A call of method `path`; the interpreter knows from its definition how many arguments follow.
Term call(std::string_view path, std::span<const Term> arguments);

/// Names the four bytes at `offset` of a buffer.
Term dword_field(const Term& buffer, std::uint64_t offset, std::string_view name);

enum class RegionSpace : std::uint8_t { system_memory = 0, system_io = 1, pci_config = 2 };

Term operation_region(std::string_view name, RegionSpace space, std::uint64_t offset,
                      std::uint64_t length);

/// One byte of a region, or, without a name, a gap of `bytes`.
struct FieldUnit {
    std::string_view name = {};
    unsigned bytes = 1;
};

/// Field (region, ByteAcc, NoLock, Preserve). Names are of exactly four characters.
Term byte_fields(std::string_view region, std::span<const FieldUnit> units);

} // namespace coldstart::aml
