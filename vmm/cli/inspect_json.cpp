// The one file of this room that knows JSON, since the library is slow to compile.
#include "vmm/cli/inspect.h"

#include <nlohmann/json.hpp>

namespace coldstart {
namespace {

using Json = nlohmann::ordered_json;

Json filesystem_json(const FilesystemInfo& filesystem) {
    Json json{{"type", filesystem.type}, {"size_bytes", filesystem.size_bytes}};
    if (!filesystem.label.empty())
        json["label"] = filesystem.label;
    if (!filesystem.uuid.empty())
        json["uuid"] = filesystem.uuid;
    return json;
}

Json partition_json(const PartitionInfo& partition) {
    Json json{{"number", partition.number},
              {"type", partition.type},
              {"active", partition.active},
              {"start_bytes", partition.start_bytes},
              {"size_bytes", partition.size_bytes}};
    if (!partition.name.empty())
        json["name"] = partition.name;
    if (partition.filesystem)
        json["filesystem"] = filesystem_json(*partition.filesystem);
    return json;
}

} // namespace

std::string inspect_json(const std::string& path) {
    const Inspection file = inspect_file(path);
    Json json{{"path", file.path},
              {"kind", media_kind_name(file.media.kind)},
              {"description", file.media.description},
              {"size_bytes", file.media.size_bytes},
              {"boot_code", file.media.boot_code}};
    if (file.media.filesystem)
        json["filesystem"] = filesystem_json(*file.media.filesystem);
    json["partitions"] = Json::array();
    for (const PartitionInfo& partition : file.media.partitions)
        json["partitions"].push_back(partition_json(partition));
    json["notes"] = file.media.notes;
    json["advice"] = file.advice;
    // A path need not be UTF-8; what isn't becomes U+FFFD.
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

} // namespace coldstart
