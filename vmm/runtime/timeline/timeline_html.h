// Timelines as one page for a browser, which needs nothing else: no network, no file. It shows the
// first, the second beside it, and can load another for comparison itself.
// Threads: any.
#pragma once

#include <span>
#include <string>

namespace coldstart {

/// `timelines`: one or two texts of timeline files. Whatever a guest said in them stays text: they
/// are data of the page, with no '<' in it.
std::string timeline_html(std::span<const std::string> timelines);

} // namespace coldstart
