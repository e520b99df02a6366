// "Did you mean": the known name closest to a mistyped one.
#pragma once

#include <span>
#include <string_view>

namespace coldstart {

/// The name within a third of its length (at least one edit) of `name`, an edit being a letter
/// added, dropped, changed, or two neighbours swapped; empty when none is that close. Leading
/// dashes don't count.
std::string_view nearest_name(std::string_view name, std::span<const std::string_view> known);

} // namespace coldstart
