// Text in HTML and SVG.
#pragma once

#include <string>
#include <string_view>

namespace coldstart {

/// Any bytes as text or as a quoted attribute value; what is not ASCII is shown as \xNN.
std::string html_text(std::string_view text);

/// A coordinate: two digits after the point are finer than any screen.
std::string svg_number(double value);

} // namespace coldstart
