// The files of --timeline: paths that end in .json or .html. A file is put in its place whole, when
// the machine has ended, however it did.
// Threads: the main thread.
#pragma once

#include "vmm/runtime/timeline/timeline_json.h"

#include <string>
#include <string_view>
#include <vector>

namespace coldstart {

enum class TimelineFormat { json, html };

/// By the path's end; throws UsageError for any other.
TimelineFormat timeline_format(std::string_view path);

class TimelineFiles {
  public:
    /// Throws Error when no file can be made, or put in the place of another, at one of the paths.
    TimelineFiles(std::vector<std::string> paths, const ProcessStart& start);

    bool wanted() const noexcept { return !paths_.empty(); }
    /// What can't be written is said in the log: the machine has ended as it has.
    void write(const VmConfig& config, const TimelineRecorder& recorder,
               const TimelineEnd& end) const noexcept;

  private:
    const std::vector<std::string> paths_;
    const ProcessStart start_;
};

} // namespace coldstart
