// `coldstart inspect`: what a file is and how it would boot, for a person or a program.
// The loaders recognise kernels, firmware-loaders/media all else.
#pragma once

#include "firmware-loaders/identify/kernel_info.h"
#include "firmware-loaders/media/media.h"

#include <optional>
#include <string>

namespace coldstart {

/// Everything that is said about one file.
struct Inspection {
    std::string path;
    std::optional<KernelInfo> kernel; ///< then `media` says nothing but the size
    bool kept_unpacked = false;       ///< of a bzImage: the kernel cache holds what is inside
    MediaInfo media;
    std::string advice; ///< which flag of `run` it belongs to, or why none
};

/// Throws Error when the file can't be read; an unknown or damaged file is an answer.
Inspection inspect_file(const std::string& path);

/// "linux" or "pvh": what --boot calls it.
const char* boot_protocol_name(BootProtocol protocol) noexcept;

std::string inspect_text(const std::string& path);
std::string inspect_json(const std::string& path);

} // namespace coldstart
