#include "vmm/tables/aml_code.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <initializer_list>

namespace coldstart::aml {

namespace {

// ACPI 6.4 section 20.3, AML byte stream values.
enum : std::uint8_t {
    local0_op = 0x60,
    arg0_op = 0x68,
    store_op = 0x70,
    and_op = 0x7b,
    or_op = 0x7d,
    notify_op = 0x86,
    create_dword_field_op = 0x8a,
    lnot_op = 0x92,
    lequal_op = 0x93,
    if_op = 0xa0,
    else_op = 0xa1,
    ext_op_prefix = 0x5b,
    ext_region_op = 0x80,
    ext_field_op = 0x81,
    null_name = 0x00,
};

constexpr std::uint8_t byte_access_no_lock_preserve = 1;
constexpr std::uint8_t reserved_field = 0x00;

Term raw(std::initializer_list<std::uint8_t> values) {
    Term term;
    for (const std::uint8_t value : values)
        term.bytes.push_back(std::byte{value});
    return term;
}

Term packaged(Term opcode, const Term& contents) {
    opcode += package_length(contents.bytes.size());
    return opcode += contents;
}

/// A width in a field list: encoded as PkgLength is, but it does not count itself.
Term field_bits(unsigned bits) {
    if (bits < 1u << 6)
        return raw({static_cast<std::uint8_t>(bits)});
    if (bits >= 1u << 12)
        throw Error(cat("AML field of ", bits, " bits: 4095 is the limit"));
    return raw(
        {static_cast<std::uint8_t>(1u << 6 | (bits & 0xf)), static_cast<std::uint8_t>(bits >> 4)});
}

} // namespace

Term argument(unsigned number) {
    if (number > 6)
        throw Error(cat("AML argument ", number, ": 6 is the last"));
    return raw({static_cast<std::uint8_t>(arg0_op + number)});
}

Term local(unsigned number) {
    if (number > 7)
        throw Error(cat("AML local ", number, ": 7 is the last"));
    return raw({static_cast<std::uint8_t>(local0_op + number)});
}

Term assign(const Term& target, const Term& value) {
    return raw({store_op}) + value + target;
}

Term bit_and(const Term& left, const Term& right) {
    return raw({and_op}) + left + right + raw({null_name});
}

Term bit_and(const Term& left, const Term& right, const Term& target) {
    return raw({and_op}) + left + right + target;
}

Term bit_or(const Term& left, const Term& right, const Term& target) {
    return raw({or_op}) + left + right + target;
}

Term equal(const Term& left, const Term& right) {
    return raw({lequal_op}) + left + right;
}

Term not_equal(const Term& left, const Term& right) {
    return raw({lnot_op, lequal_op}) + left + right;
}

Term is_zero(const Term& value) {
    return raw({lnot_op}) + value;
}

Term if_true(const Term& condition, const Term& body) {
    return packaged(raw({if_op}), condition + body);
}

Term otherwise(const Term& body) {
    return packaged(raw({else_op}), body);
}

Term notify(std::string_view object, std::uint8_t value) {
    return raw({notify_op}) + name_string(object) + integer(value);
}

Term call(std::string_view path, std::span<const Term> arguments) {
    Term term = name_string(path);
    for (const Term& each : arguments)
        term += each;
    return term;
}

Term dword_field(const Term& buffer, std::uint64_t offset, std::string_view name) {
    return raw({create_dword_field_op}) + buffer + integer(offset) + name_string(name);
}

Term operation_region(std::string_view name, RegionSpace space, std::uint64_t offset,
                      std::uint64_t length) {
    return raw({ext_op_prefix, ext_region_op}) + name_string(name) +
           raw({static_cast<std::uint8_t>(space)}) + integer(offset) + integer(length);
}

Term byte_fields(std::string_view region, std::span<const FieldUnit> units) {
    constexpr unsigned byte_bits = 8;
    Term body = name_string(region) + raw({byte_access_no_lock_preserve});
    for (const FieldUnit& unit : units) {
        if (unit.name.empty()) {
            body += raw({reserved_field}) + field_bits(unit.bytes * byte_bits);
            continue;
        }
        if (unit.name.size() != 4 || unit.bytes != 1)
            throw Error(cat("AML field \"", printable(unit.name),
                            "\": want a byte whose name has "
                            "four characters"));
        body += name_string(unit.name) + field_bits(byte_bits);
    }
    return packaged(raw({ext_op_prefix, ext_field_op}), body);
}

} // namespace coldstart::aml
