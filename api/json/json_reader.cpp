#include "api/json/json_reader.h"

#include "vmm/base/text.h"

#include <algorithm>
#include <set>

namespace coldstart {
namespace {

/// Follows the parser through the text and stops it at what a lenient parser lets pass.
class Watchman {
  public:
    bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
        switch (event) {
        case Json::parse_event_t::object_start:
        case Json::parse_event_t::array_start:
            if (static_cast<unsigned>(depth) >= max_json_depth)
                throw Error(cat("the JSON text is nested deeper than ", max_json_depth, " levels"));
            names_.emplace_back();
            break;
        case Json::parse_event_t::object_end:
        case Json::parse_event_t::array_end:
            names_.pop_back();
            break;
        case Json::parse_event_t::key:
            if (!names_.back().insert(parsed.get<std::string>()).second)
                throw Error(cat("the JSON text has the field \"",
                                printable(parsed.get<std::string>()), "\" twice in one object"));
            break;
        case Json::parse_event_t::value:
            break;
        }
        return true;
    }

  private:
    std::vector<std::set<std::string>> names_;
};

std::string_view type_name(const Json& value) {
    if (value.is_number_float())
        return "a number with a fraction, an exponent or too many digits";
    if (value.is_number())
        return "a number";
    if (value.is_string())
        return "a string";
    if (value.is_boolean())
        return "a boolean";
    if (value.is_array())
        return "an array";
    return value.is_object() ? "an object" : "null";
}

} // namespace

Json parse_json(std::string_view text) {
    // The parser takes a NUL for the end and leaves out a byte order mark.
    if (text.find('\0') != std::string_view::npos)
        throw Error("the JSON text has a NUL in it");
    if (text.starts_with("\xef\xbb\xbf"))
        throw Error("the JSON text begins with a byte order mark; leave it out");
    try {
        return Json::parse(text, Watchman());
    } catch (const Json::exception& error) {
        // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
        const std::string_view what = error.what();
        const std::size_t bracket = what.find("] ");
        throw Error(cat(
            "the text is no JSON: ",
            printable(bracket == std::string_view::npos ? what : what.substr(bracket + 2), 200)));
    }
}

Members::Members(const Json& value, std::string what) : value_(value), what_(std::move(what)) {
    if (!value.is_object())
        throw Error(cat(what_, ": an object is expected, not ", type_name(value)));
}

const Json* Members::value(std::string_view name) {
    taken_.push_back(name);
    const auto found = value_.find(std::string(name));
    return found == value_.end() || found->is_null() ? nullptr : &*found;
}

const Json& Members::required_value(std::string_view name) {
    const Json* const found = value(name);
    if (found == nullptr)
        refuse_missing(name);
    return *found;
}

bool Members::has(std::string_view name) const {
    const auto found = value_.find(std::string(name));
    return found != value_.end() && !found->is_null();
}

std::optional<std::string> Members::text(std::string_view name) {
    const Json* const found = value(name);
    if (found == nullptr)
        return std::nullopt;
    if (!found->is_string())
        refuse(name, cat("a string is expected, not ", type_name(*found)));
    // A path would end there for the host's kernel.
    if (found->get_ref<const std::string&>().find('\0') != std::string::npos)
        refuse(name, "it has a NUL in it");
    return found->get<std::string>();
}

std::string Members::required_text(std::string_view name) {
    auto given = text(name);
    if (!given)
        refuse_missing(name);
    return *std::move(given);
}

std::optional<bool> Members::boolean(std::string_view name) {
    const Json* const found = value(name);
    if (found == nullptr)
        return std::nullopt;
    if (!found->is_boolean())
        refuse(name, cat("true or false is expected, not ", type_name(*found)));
    return found->get<bool>();
}

bool Members::required_boolean(std::string_view name) {
    const auto given = boolean(name);
    if (!given)
        refuse_missing(name);
    return *given;
}

std::optional<std::uint64_t> Members::integer(std::string_view name, std::uint64_t max,
                                              std::uint64_t min) {
    const Json* const found = value(name);
    if (found == nullptr)
        return std::nullopt;
    if (!found->is_number_integer())
        refuse(name, cat("a whole number is expected, not ", type_name(*found)));
    // Negative numbers are the only ones that are integers and not unsigned.
    if (!found->is_number_unsigned() || found->get<std::uint64_t>() > max ||
        found->get<std::uint64_t>() < min)
        refuse(name, cat(found->dump(), " is not within ", min, " to ", max));
    return found->get<std::uint64_t>();
}

std::uint64_t Members::required_integer(std::string_view name, std::uint64_t max,
                                        std::uint64_t min) {
    const auto given = integer(name, max, min);
    if (!given)
        refuse_missing(name);
    return *given;
}

void Members::done() const {
    for (const auto& item : value_.items()) {
        if (std::find(taken_.begin(), taken_.end(), item.key()) == taken_.end())
            throw Error(cat(what_, ": unknown field \"", printable(item.key()), "\""));
    }
}

void Members::refuse(std::string_view name, std::string_view why) const {
    throw Error(cat(what_, ": ", name, ": ", why));
}

void Members::refuse_word(std::string_view name, std::string_view given,
                          std::string_view known) const {
    refuse(name, cat("unknown value \"", printable(given), "\", expected one of ", known));
}

void Members::refuse_missing(std::string_view name) const {
    throw Error(cat(what_, ": missing field \"", name, "\""));
}

} // namespace coldstart
