#include "vmm/runtime/timeline/timeline_html.h"

#include "vmm/runtime/timeline/page_parts.h"

#include <string_view>
#include <utility>

namespace coldstart {
namespace {

/// JSON that no HTML parser finds a tag or a comment in; the same to whoever reads the JSON: '<' can
/// only stand inside a string.
std::string without_tags(std::string_view json) {
    std::string safe;
    safe.reserve(json.size());
    for (const char c : json) {
        if (c == '<')
            safe += "\\u003c";
        else
            safe += c;
    }
    return safe;
}

std::string list_of(std::span<const std::string> timelines) {
    std::string list = "[";
    for (const std::string& timeline : timelines) {
        list += list.size() > 1 ? "," : "";
        list += without_tags(timeline);
    }
    return list + "]";
}

} // namespace

std::string timeline_html(std::span<const std::string> timelines) {
    const std::string script = std::string(timeline_picture_js()).append(timeline_tables_js());
    // In the order of the page, so that no text is taken for a place.
    const std::pair<std::string_view, std::string> places[] = {
        {"@STYLE@", std::string(timeline_page_css())},
        {"@TIMELINES@", list_of(timelines)},
        {"@SCRIPT@", script},
    };
    std::string page;
    std::string_view rest = timeline_page_html();
    for (const auto& [place, text] : places) {
        const std::size_t at = rest.find(place);
        page.append(rest.substr(0, at)).append(text);
        rest.remove_prefix(at + place.size());
    }
    return page.append(rest);
}

} // namespace coldstart
