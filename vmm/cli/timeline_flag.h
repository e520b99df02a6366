// --timeline, which several commands have.
#pragma once

#include "vmm/cli/flag_table.h"
#include "vmm/runtime/timeline/timeline_file.h"

#include <string>
#include <string_view>

namespace coldstart {

constexpr FlagSpec timeline_flag(std::string_view group,
                                 void (*store)(CommandDraft&, const FlagSpec&, std::string_view)) {
    return {.group = group,
            .name = "--timeline",
            .value = "FILE.json|FILE.html",
            .kind = ValueKind::file,
            .help = "write what happened when, from the process's start to its end: data, or a "
                    "page for a browser; may be given twice",
            .repeatable = true,
            .store = store};
}

/// Throws UsageError when it ends in neither .json nor .html.
inline std::string checked_timeline_path(std::string_view value) {
    timeline_format(value);
    return std::string(value);
}

} // namespace coldstart
