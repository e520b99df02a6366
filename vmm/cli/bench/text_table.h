// Columns of text, as wide as what is in them.
#pragma once

#include <string>
#include <vector>

namespace coldstart {

/// The first column stands left, the others right; the first row is the heading.
std::string text_table(const std::vector<std::vector<std::string>>& rows);

} // namespace coldstart
