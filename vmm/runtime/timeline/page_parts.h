// The page of a timeline as it is in the tree, page/: its frame with places for the rest, its
// style, and what draws it. All of it is ASCII and part of the program, by cmake/embed-text.cmake.
// Threads: any; the texts are constant.
#pragma once

#include <string_view>

namespace coldstart {

std::string_view timeline_page_html() noexcept;
std::string_view timeline_page_css() noexcept;
std::string_view timeline_picture_js() noexcept;
std::string_view timeline_tables_js() noexcept;

} // namespace coldstart
