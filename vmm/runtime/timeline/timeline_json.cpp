#include "vmm/runtime/timeline/timeline_json.h"

#include "vmm/runtime/timeline/phases.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace coldstart {
namespace {

Json text_or_null(const std::string& text) {
    return text.empty() ? Json(nullptr) : Json(text);
}

/// What was booted, if it came to that; else what was asked for.
std::string boot_mode(const VmConfig& config, const std::vector<TimelineEvent>& events) {
    for (const TimelineEvent& event : events) {
        if (event.what == Milestone::loaded)
            return event.text;
    }
    switch (config.boot) {
    case BootMode::linux64:
        return "linux";
    case BootMode::pvh:
        return "pvh";
    case BootMode::firmware:
        return "firmware";
    case BootMode::automatic:
        break;
    }
    return config.firmware_path.empty() ? "auto" : "firmware";
}

BootShape shape_of(const VmConfig& config) {
    const bool firmware = !config.firmware_path.empty();
    // Images that have room for a variable store of its own file are UEFI's.
    return {.firmware = firmware,
            .uefi = firmware && !config.nvram_path.empty(),
            .kernel_by_fw_cfg = firmware && !config.kernel_path.empty()};
}

Json machine_json(const VmConfig& config, std::string boot) {
    Json disks = Json::array();
    for (const DiskConfig& disk : config.disks)
        disks.push_back(disk.path);
    if (!config.cdrom_path.empty())
        disks.push_back(config.cdrom_path);
    return {{"id", config.id},
            {"board", config.board == BoardKind::pc ? "pc" : "micro"},
            {"boot", std::move(boot)},
            {"cpus", config.cpus},
            {"memory_bytes", config.memory_bytes},
            {"kernel", text_or_null(config.kernel_path)},
            {"initrd", text_or_null(config.initrd_path.value_or(""))},
            {"firmware", text_or_null(config.firmware_path)},
            {"disks", std::move(disks)}};
}

} // namespace

void add_milestone_members(Json& json, const TimelineEvent& event) {
    if (const auto member = milestone_text_member(event.what); !member.empty())
        json[std::string(member)] = event.text;
    if (const auto member = milestone_number_member(event.what); !member.empty())
        json[std::string(member)] = event.number;
}

Json timeline_json(const VmConfig& config, const TimelineRecorder& recorder,
                   const ProcessStart& start, const TimelineEnd& end) {
    const BootShape shape = shape_of(config);
    const auto recorded = with_derived_marks(recorder.snapshot(), shape);
    Json events = Json::array();
    for (const TimelineEvent& event : recorded) {
        if (event.time_ns > end.time_ns)
            break; // the guest ran on while the end was carried out
        Json json = {{"t_ns", event.time_ns - std::min(event.time_ns, start.time_ns)},
                     {"event", milestone_name(event.what)}};
        add_milestone_members(json, event);
        events.push_back(std::move(json));
    }
    const std::uint64_t end_ns = end.time_ns - start.time_ns;
    events.push_back(
        {{"t_ns", end_ns}, {"event", "exited"}, {"status", end.status}, {"text", end.reason}});
    Json phases = Json::array();
    for (const TimelinePhase& phase : timeline_phases(recorded, shape, start.time_ns, end.time_ns))
        phases.push_back({{"name", phase.name},
                          {"title", phase.title},
                          {"start_ns", phase.start_ns - start.time_ns},
                          {"end_ns", phase.end_ns - start.time_ns}});
    return {{"format", "coldstart-timeline"},
            {"version", 1},
            {"coldstart", COLDSTART_VERSION},
            {"machine", machine_json(config, boot_mode(config, recorded))},
            {"start_monotonic_ns", start.time_ns},
            {"start_from", start.told ? start_variable : "cpu time"},
            {"events", std::move(events)},
            {"dropped_events", recorder.dropped()},
            {"phases", std::move(phases)},
            {"end", {{"reason", end.reason}, {"status", end.status}, {"t_ns", end_ns}}}};
}

std::string timeline_file_text(const Json& timeline) {
    const auto dump = [](const Json& json) {
        return json.dump(-1, ' ', false, Json::error_handler_t::replace);
    };
    std::string text = "{";
    for (const auto& [name, value] : timeline.items()) {
        text += text.size() > 1 ? ",\n" : "\n";
        text += dump(Json(name)) + ": ";
        if (!value.is_array() || value.empty()) {
            text += dump(value);
            continue;
        }
        for (std::size_t i = 0; i < value.size(); ++i)
            text += (i == 0 ? "[\n  " : ",\n  ") + dump(value[i]);
        text += "\n]";
    }
    return text + "\n}\n";
}

} // namespace coldstart
