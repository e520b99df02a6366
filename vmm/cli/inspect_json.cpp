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

Json kernel_json(const KernelInfo& kernel) {
    Json json{{"format", format_name(kernel.format)}};
    if (kernel.compression != Compression::none)
        json["compression"] = compression_name(kernel.compression);
    if (!kernel.version.empty())
        json["version"] = kernel.version;
    if (kernel.bzimage) {
        json["boot_protocol"] = protocol_text(kernel.bzimage->protocol);
        json["payload_compression"] = compression_name(kernel.bzimage->payload_compression);
    }
    if (kernel.unpacked_bytes != 0)
        json["unpacked_bytes"] = kernel.unpacked_bytes;
    if (kernel.elf && kernel.elf->pvh_entry)
        json["pvh_entry"] = *kernel.elf->pvh_entry;
    json["boot_modes"] = Json::array();
    for (const BootProtocol protocol : kernel.protocols)
        json["boot_modes"].push_back(boot_protocol_name(protocol));
    if (!kernel.payload_problem.empty())
        json["payload_problem"] = kernel.payload_problem;
    if (kernel.fit && !kernel.wrong_fit_images.empty())
        json["damaged_images"] = kernel.wrong_fit_images;
    if (!kernel.problem.empty())
        json["problem"] = kernel.problem;
    return json;
}

/// What a kernel and any other file have in common comes first.
Json head_json(const Inspection& file) {
    return {{"path", file.path},
            {"kind", file.kernel ? "kernel" : media_kind_name(file.media.kind)},
            {"size_bytes", file.media.size_bytes},
            {"advice", file.advice}};
}

} // namespace

std::string inspect_json(const std::string& path) {
    const Inspection file = inspect_file(path);
    Json json = head_json(file);
    if (file.kernel) {
        json["kernel"] = kernel_json(*file.kernel);
        if (file.kernel->format == KernelFormat::bzimage)
            json["kernel"]["kept_unpacked"] = file.kept_unpacked;
    } else {
        json["description"] = file.media.description;
        json["boot_code"] = file.media.boot_code;
        if (file.media.filesystem)
            json["filesystem"] = filesystem_json(*file.media.filesystem);
        json["partitions"] = Json::array();
        for (const PartitionInfo& partition : file.media.partitions)
            json["partitions"].push_back(partition_json(partition));
        json["notes"] = file.media.notes;
    }
    // A path need not be UTF-8; what isn't becomes U+FFFD.
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

} // namespace coldstart
