// Members of an answer as cells of a table. An answer is another program's: nothing about its form
// is taken for granted, and what is not as expected is an empty cell.
#pragma once

#include "api/json/json_reader.h"
#include "vmm/base/text.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace coldstart {

inline constexpr std::size_t max_cell_chars = 4096;

/// nullptr when it is absent or null.
inline const Json* member(const Json& object, std::string_view name) {
    if (!object.is_object())
        return nullptr;
    const auto found = object.find(std::string(name));
    return found == object.end() || found->is_null() ? nullptr : &*found;
}

/// Printable, empty when there is none; numbers and the like as JSON has them.
inline std::string cell(const Json& object, std::string_view name) {
    const Json* const value = member(object, name);
    if (value == nullptr)
        return {};
    return printable(value->is_string()
                         ? value->get<std::string>()
                         : value->dump(-1, ' ', true, Json::error_handler_t::replace),
                     max_cell_chars);
}

inline std::optional<std::uint64_t> whole(const Json& object, std::string_view name) {
    const Json* const value = member(object, name);
    if (value == nullptr || !value->is_number_unsigned())
        return std::nullopt;
    return value->get<std::uint64_t>();
}

inline bool is_true(const Json& object, std::string_view name) {
    const Json* const value = member(object, name);
    return value != nullptr && value->is_boolean() && value->get<bool>();
}

/// Adds `item` to a list with commas, unless it is empty.
inline void add_item(std::string& list, std::string_view item) {
    if (item.empty())
        return;
    list.append(list.empty() ? "" : ", ").append(item);
}

} // namespace coldstart
