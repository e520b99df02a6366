#include "vmm/cli/ctl/format.h"
#include "vmm/cli/ctl/json_cells.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>

namespace coldstart {
namespace {

std::string details(const Json& event) {
    std::string text;
    if (const auto code = whole(event, "code"))
        add_item(text, hex(*code, 2));
    if (member(event, "status") != nullptr)
        add_item(text, cat("status ", cell(event, "status")));
    if (member(event, "count") != nullptr)
        add_item(text, cell(event, "count"));
    for (const char* name : {"text", "boot", "device", "item"})
        add_item(text, cell(event, name));
    return text;
}

/// "    0.018211 s", or as many spaces.
std::string moment(const Json& event) {
    const auto time_us = whole(event, "time_us");
    char text[64];
    if (time_us)
        std::snprintf(text, sizeof text, "%5llu.%06llu s",
                      static_cast<unsigned long long>(*time_us / 1'000'000),
                      static_cast<unsigned long long>(*time_us % 1'000'000));
    return time_us ? text : std::string(14, ' ');
}

std::string line_of(const std::string& time, const Json& event) {
    std::string name = cell(event, "event");
    const std::string more = details(event);
    if (!more.empty() && name.size() < 12)
        name.append(12 - name.size(), ' ');
    return cat(time, "  ", name, more.empty() ? "" : "  ", more);
}

/// One line of Prometheus' format: NAME[{LABELS}] VALUE.
struct Sample {
    std::string_view name, labels, value;
};

template <typename Visitor>
void for_each_sample(std::string_view page, Visitor visit) {
    while (!page.empty()) {
        const std::string_view line = page.substr(0, page.find('\n'));
        page.remove_prefix(std::min(page.size(), line.size() + 1));
        const std::size_t space = line.rfind(' ');
        if (line.empty() || line.front() == '#' || space == std::string_view::npos)
            continue;
        const std::string_view metric = line.substr(0, space);
        const std::size_t brace = std::min(metric.find('{'), metric.size());
        visit(Sample{metric.substr(0, brace), metric.substr(brace), line.substr(space + 1)});
    }
}

/// {device="rootfs"} as rootfs, several with spaces between.
std::string label_values(std::string_view labels) {
    std::string values;
    for (std::size_t at = 0; (at = labels.find('"', at)) != std::string_view::npos;) {
        const std::size_t end = std::min(labels.find('"', at + 1), labels.size());
        values += values.empty() ? "" : " ";
        values += labels.substr(at + 1, end - at - 1);
        at = end + 1;
    }
    return printable(values, max_cell_chars);
}

} // namespace

std::string event_text(const Json& event) {
    return line_of(moment(event), event);
}

std::string timeline_text(const Json& timeline) {
    TextTable table;
    table.align_right(1);
    std::optional<std::uint64_t> before_us;
    for (const Json& event : timeline) {
        const auto time_us = whole(event, "time_us");
        std::string step;
        if (time_us)
            step = cat('+', duration_text(*time_us - std::min(*time_us, before_us.value_or(0))));
        before_us = time_us ? time_us : before_us;
        table.add({moment(event), step, cell(event, "event"), details(event)});
    }
    return table.text();
}

std::string metrics_text(std::string_view page) {
    TextTable table;
    table.align_right(2);
    for_each_sample(page, [&](const Sample& sample) {
        std::string_view name = sample.name;
        constexpr std::string_view ours = "coldstart_", counter = "_total";
        if (name.starts_with(ours))
            name.remove_prefix(ours.size());
        if (name.ends_with(counter))
            name.remove_suffix(counter.size());
        table.add({printable(name, max_cell_chars), label_values(sample.labels),
                   printable(sample.value)});
    });
    return table.text();
}

Json metrics_json(std::string_view page) {
    Json object = Json::object();
    for_each_sample(page, [&](const Sample& sample) {
        const auto number = parse_decimal(sample.value);
        const std::string text(sample.value);
        const double fraction = std::strtod(text.c_str(), nullptr);
        Json value = number ? Json(*number) : std::isfinite(fraction) ? Json(fraction) : Json(text);
        object[cat(sample.name, sample.labels)] = std::move(value);
    });
    return object;
}

} // namespace coldstart
