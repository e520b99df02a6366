#include "vmm/tables/aml.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <initializer_list>
#include <string>

namespace coldstart::aml {

namespace {

// ACPI 6.4 section 20.3, AML byte stream values.
enum : std::uint8_t {
    zero_op = 0x00,
    one_op = 0x01,
    name_op = 0x08,
    byte_prefix = 0x0a,
    word_prefix = 0x0b,
    dword_prefix = 0x0c,
    string_prefix = 0x0d,
    qword_prefix = 0x0e,
    scope_op = 0x10,
    buffer_op = 0x11,
    package_op = 0x12,
    method_op = 0x14,
    dual_name_prefix = 0x2e,
    multi_name_prefix = 0x2f,
    ext_op_prefix = 0x5b,
    ext_device_op = 0x82,
    return_op = 0xa4,
    ones_op = 0xff,
};

Term raw(std::initializer_list<std::uint8_t> values) {
    Term term;
    for (const std::uint8_t value : values)
        term.bytes.push_back(std::byte{value});
    return term;
}

template <typename T>
Term prefixed(std::uint8_t prefix, T value) {
    Term term = raw({prefix});
    append_le(term.bytes, value);
    return term;
}

/// `opcode`, PkgLength, contents.
Term packaged(Term opcode, const Term& contents) {
    opcode += package_length(contents.bytes.size());
    return opcode += contents;
}

bool is_lead_name_char(char c) noexcept {
    return (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_name_char(char c) noexcept {
    return is_lead_name_char(c) || (c >= '0' && c <= '9');
}

/// The value of an upper-case hexadecimal digit, or -1.
int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

void append_segment(Term& term, std::string_view segment, std::string_view path) {
    bool valid = !segment.empty() && segment.size() <= 4 && is_lead_name_char(segment[0]);
    for (const char c : segment)
        valid = valid && is_name_char(c);
    if (!valid)
        throw Error(cat("ACPI name \"", printable(path), "\": \"", printable(segment),
                        "\" is not one to four of A-Z, 0-9 and _ that begin with no digit"));
    for (std::size_t i = 0; i < 4; ++i)
        term.bytes.push_back(std::byte(i < segment.size() ? segment[i] : '_'));
}

} // namespace

Term& Term::operator+=(const Term& other) {
    bytes.insert(bytes.end(), other.bytes.begin(), other.bytes.end());
    return *this;
}

Term package_length(std::size_t content_bytes) {
    // One byte holds 6 bits of length; of more bytes the first holds 4, each other one 8.
    if (content_bytes + 1 < 1u << 6)
        return raw({static_cast<std::uint8_t>(content_bytes + 1)});
    for (unsigned extra = 1; extra <= 3; ++extra) {
        const std::uint64_t length = content_bytes + 1 + extra;
        if (length >= 1ull << (4 + 8 * extra))
            continue;
        Term term = raw({static_cast<std::uint8_t>((extra << 6) | (length & 0xf))});
        for (unsigned i = 0; i < extra; ++i)
            term.bytes.push_back(std::byte(static_cast<std::uint8_t>(length >> (4 + 8 * i))));
        return term;
    }
    throw Error(cat("AML package of ", content_bytes, " bytes: more than PkgLength can say"));
}

Term name_string(std::string_view path) {
    Term term;
    std::string_view rest = path;
    if (rest.starts_with('\\')) {
        term += raw({'\\'});
        rest.remove_prefix(1);
    }
    while (rest.starts_with('^')) {
        term += raw({'^'});
        rest.remove_prefix(1);
    }

    std::vector<std::string_view> segments;
    while (!rest.empty()) {
        const std::size_t dot = rest.find('.');
        segments.push_back(rest.substr(0, dot));
        if (dot == std::string_view::npos)
            break;
        rest.remove_prefix(dot + 1);
        if (rest.empty())
            segments.push_back(rest); // a trailing dot: refused as an empty segment below
    }
    if (segments.empty())
        term += raw({0}); // NullName: "\" alone
    else if (segments.size() == 2)
        term += raw({dual_name_prefix});
    else if (segments.size() > 2)
        term += raw({multi_name_prefix, static_cast<std::uint8_t>(segments.size())});
    for (const std::string_view segment : segments)
        append_segment(term, segment, path);
    return term;
}

Term integer(std::uint64_t value) {
    if (value == 0)
        return raw({zero_op});
    if (value == 1)
        return raw({one_op});
    if (value == ~0ull)
        return raw({ones_op}); // 64 bits wide: the DSDT is of revision 2
    if (value <= 0xff)
        return prefixed(byte_prefix, static_cast<std::uint8_t>(value));
    if (value <= 0xffff)
        return prefixed(word_prefix, static_cast<std::uint16_t>(value));
    if (value <= 0xffffffff)
        return prefixed(dword_prefix, static_cast<std::uint32_t>(value));
    return prefixed(qword_prefix, value);
}

Term string(std::string_view ascii) {
    Term term = raw({string_prefix});
    for (const char c : ascii) {
        if (c <= 0)
            throw Error(cat("AML string \"", printable(ascii), "\": not plain ASCII"));
        term.bytes.push_back(std::byte(c));
    }
    term.bytes.push_back(std::byte{0});
    return term;
}

Term buffer(ByteView contents) {
    Term body = integer(contents.size());
    body.bytes.insert(body.bytes.end(), contents.begin(), contents.end());
    return packaged(raw({buffer_op}), body);
}

Term package(std::span<const Term> elements) {
    if (elements.size() > 0xff)
        throw Error(cat("AML package of ", elements.size(), " elements: 255 is the limit"));
    Term body = raw({static_cast<std::uint8_t>(elements.size())});
    for (const Term& element : elements)
        body += element;
    return packaged(raw({package_op}), body);
}

bool is_eisa_id(std::string_view id) noexcept {
    if (id.size() != 7)
        return false;
    for (const char c : id.substr(0, 3)) {
        if (c < 'A' || c > 'Z')
            return false;
    }
    for (const char c : id.substr(3)) {
        if (hex_digit(c) < 0)
            return false;
    }
    return true;
}

Term eisa_id(std::string_view id) {
    if (!is_eisa_id(id))
        throw Error(
            cat("EISA id \"", printable(id), "\": not three capital letters and four hex digits"));
    // Five bits a letter, four a digit, most significant first: stored big-endian.
    std::uint32_t bits = 0;
    for (const char c : id.substr(0, 3))
        bits = (bits << 5) | static_cast<std::uint32_t>(c - 'A' + 1);
    for (const char c : id.substr(3))
        bits = (bits << 4) | static_cast<std::uint32_t>(hex_digit(c));
    return integer(__builtin_bswap32(bits));
}

Term name(std::string_view path, const Term& object) {
    return raw({name_op}) + name_string(path) + object;
}

Term scope(std::string_view path, const Term& contents) {
    return packaged(raw({scope_op}), name_string(path) + contents);
}

Term device(std::string_view path, const Term& contents) {
    return packaged(raw({ext_op_prefix, ext_device_op}), name_string(path) + contents);
}

Term method(std::string_view path, unsigned argument_count, bool serialized, const Term& body) {
    if (argument_count > 7)
        throw Error(cat("AML method ", path, ": ", argument_count, " arguments, 7 is the limit"));
    const auto flags = static_cast<std::uint8_t>(argument_count | (serialized ? 1u << 3 : 0));
    return packaged(raw({method_op}), name_string(path) + raw({flags}) + body);
}

Term return_value(const Term& object) {
    return raw({return_op}) + object;
}

} // namespace coldstart::aml
