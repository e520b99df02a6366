// The timeline file, docs/timeline.md: what happened to one machine, as one JSON object.
// Threads: any.
#pragma once

#include "api/command/vm_config.h"
#include "api/json/json_reader.h"
#include "vmm/runtime/timeline/process_start.h"
#include "vmm/runtime/timeline/recorder.h"

#include <cstdint>
#include <string>

namespace coldstart {

struct TimelineEnd {
    std::string reason; ///< "powered off"
    int status = 0;     ///< of the process
    std::uint64_t time_ns = 0;
};

/// What an event has besides its name and time. Text may be invalid UTF-8: for whoever dumps it.
void add_milestone_members(Json& json, const TimelineEvent& event);

Json timeline_json(const VmConfig& config, const TimelineRecorder& recorder,
                   const ProcessStart& start, const TimelineEnd& end);

/// As a file has it: valid UTF-8 whatever the guest said, a line an event.
std::string timeline_file_text(const Json& timeline);

} // namespace coldstart
