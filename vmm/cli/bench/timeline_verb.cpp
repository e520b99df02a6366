#include "vmm/cli/bench/timeline_verb.h"

#include "api/json/json_reader.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/cli/bench/input_file.h"
#include "vmm/cli/bench/output_file.h"
#include "vmm/cli/bench/text_table.h"
#include "vmm/runtime/timeline/timeline_html.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

namespace coldstart {
namespace {

constexpr const char* remedy = "give a file that 'coldstart run --timeline FILE.json' wrote";
constexpr std::uint64_t max_ns = std::uint64_t{1} << 62;

std::uint64_t time_of(const Json& object, const char* name) {
    const Json& value = object.at(name);
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > max_ns)
        throw Error(cat('"', name, "\" is no time"));
    return value.get<std::uint64_t>();
}

std::string text_of(const Json& object, const char* name) {
    const Json& value = object.at(name);
    if (!value.is_string())
        throw Error(cat('"', name, "\" is no text"));
    return value.get<std::string>();
}

const Json& list_of(const Json& object, const char* name) {
    if (!object.at(name).is_array())
        throw Error(cat('"', name, "\" is no list"));
    return object.at(name);
}

void check_events(const Json& timeline) {
    for (const Json& event : list_of(timeline, "events")) {
        time_of(event, "t_ns");
        if (text_of(event, "event") == "post_code" && !event.at("code").is_number_unsigned())
            throw Error("a POST code is no number");
    }
}

TimelineSummary summary_of(const Json& timeline) {
    if (!timeline.is_object() || timeline.value("format", Json()) != "coldstart-timeline")
        throw Error("its format is not coldstart-timeline");
    if (timeline.value("version", Json()) != 1)
        throw Error("its version is another than 1");
    if (!timeline.at("machine").is_object())
        throw Error("\"machine\" is no object");
    check_events(timeline);
    TimelineSummary summary;
    for (const Json& phase : list_of(timeline, "phases")) {
        const std::uint64_t start_ns = time_of(phase, "start_ns"),
                            end_ns = time_of(phase, "end_ns");
        if (end_ns < start_ns)
            throw Error("a phase ends before it begins");
        text_of(phase, "title");
        summary.phases.push_back({text_of(phase, "name"), end_ns - start_ns});
    }
    text_of(timeline.at("end"), "reason");
    summary.whole.ns = time_of(timeline.at("end"), "t_ns");
    return summary;
}

const PhaseTime* find_phase(const TimelineSummary& timeline, const std::string& name) {
    const auto found = std::find_if(timeline.phases.begin(), timeline.phases.end(),
                                    [&](const PhaseTime& phase) { return phase.name == name; });
    return found == timeline.phases.end() ? nullptr : &*found;
}

std::string signed_ms(std::uint64_t before_ns, std::uint64_t after_ns) {
    const bool less = after_ns < before_ns;
    return (less ? "-" : "+") +
           ms_text(static_cast<double>(less ? before_ns - after_ns : after_ns - before_ns) / 1e6);
}

/// A row: the name, the times, and with two of them the difference. nullptr: no such phase there.
std::vector<std::string> row_of(std::string_view name, std::span<const PhaseTime* const> times) {
    std::vector<std::string> row{printable(name, 40)};
    for (const PhaseTime* time : times)
        row.push_back(time == nullptr ? "-" : ms_text(static_cast<double>(time->ns) / 1e6));
    if (times.size() == 2)
        row.push_back(times[0] == nullptr || times[1] == nullptr
                          ? "-"
                          : signed_ms(times[0]->ns, times[1]->ns));
    return row;
}

/// Of all timelines, in their order: what only the second has stands where it has it.
std::vector<std::string> names_of(std::span<const TimelineSummary> timelines) {
    std::vector<std::string> names;
    for (const TimelineSummary& timeline : timelines) {
        auto place = names.begin();
        for (const PhaseTime& phase : timeline.phases) {
            const auto found = std::find(names.begin(), names.end(), phase.name);
            place = std::next(found != names.end() ? found : names.insert(place, phase.name));
        }
    }
    return names;
}

} // namespace

TimelineSummary timeline_summary(std::string_view text, const std::string& name) {
    const auto no_timeline = [&name](const char* why) {
        return Error(cat(printable(name), ": not a timeline of coldstart: ", why), remedy);
    };
    try {
        return summary_of(parse_json(text));
    } catch (const Error& error) {
        throw no_timeline(error.what());
    } catch (const Json::exception&) {
        throw no_timeline("a member is missing");
    }
}

std::string timelines_text(std::span<const TimelineSummary> timelines) {
    std::vector<std::vector<std::string>> rows{{"ms", "took"}};
    if (timelines.size() == 2)
        rows.front() = {"ms", "A", "B", "B - A"};
    std::vector<const PhaseTime*> times(timelines.size());
    for (const std::string& name : names_of(timelines)) {
        std::transform(timelines.begin(), timelines.end(), times.begin(),
                       [&](const TimelineSummary& timeline) { return find_phase(timeline, name); });
        rows.push_back(row_of(name, times));
    }
    std::transform(timelines.begin(), timelines.end(), times.begin(),
                   [](const TimelineSummary& timeline) { return &timeline.whole; });
    rows.push_back(row_of(timelines.front().whole.name, times));
    return text_table(rows);
}

int bench_timeline(const BenchCommand& command) {
    std::vector<std::string> texts;
    std::vector<TimelineSummary> timelines;
    for (const std::string& path : command.arguments) {
        texts.push_back(read_input_file(path, remedy));
        timelines.push_back(timeline_summary(texts.back(), path));
    }
    OutputFile html("--html", command.html_path);
    if (html.wanted())
        html.write(timeline_html(texts));
    std::fputs(timelines_text(timelines).c_str(), stdout);
    std::fflush(stdout);
    return 0;
}

} // namespace coldstart
