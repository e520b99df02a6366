// AML, the bytecode of the DSDT, as a handful of functions that return its encoded terms:
//
//     aml::device("COM1", aml::name("_HID", aml::eisa_id("PNP0501")) +
//                             aml::name("_UID", aml::integer(1)));
//
// Source: ACPI 6.4, section 20.2 (AML grammar) and 19.3.4 (EISAID).
// Missing: operation regions, fields, control flow and arithmetic; no device here needs them yet.
// A name that is no ACPI name, and a package too long to encode, throw Error.
#pragma once

#include "vmm/base/bytes.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace coldstart::aml {

/// Encoded AML: one term, or several in a row.
struct Term {
    std::vector<std::byte> bytes;

    Term& operator+=(const Term& other);
    friend Term operator+(Term left, const Term& right) { return left += right; }
};

/// PkgLength for a package whose contents are `content_bytes` long. The encoded number counts
/// itself; it takes one to four bytes.
Term package_length(std::size_t content_bytes);

/// A NameString: "COM1", "_SB.COM1", "\\_SB", "^COM1". Segments shorter than four characters
/// are padded with '_'.
Term name_string(std::string_view path);

// Data objects.
Term integer(std::uint64_t value); ///< the shortest encoding
Term string(std::string_view ascii);
Term buffer(ByteView contents);
Term package(std::span<const Term> elements); ///< up to 255
Term eisa_id(std::string_view id);            ///< "PNP0501": three letters, four hex digits

/// True for what eisa_id() takes; other _HIDs ("ACPI0007") are strings.
bool is_eisa_id(std::string_view id) noexcept;

// Named objects.
Term name(std::string_view path, const Term& object);
Term scope(std::string_view path, const Term& contents);
Term device(std::string_view path, const Term& contents);
Term method(std::string_view path, unsigned argument_count, bool serialized, const Term& body);

Term return_value(const Term& object);

} // namespace coldstart::aml
