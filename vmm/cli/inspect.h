// `coldstart inspect`: what a file is and how it would boot, for a person or a program.
// Missing: kernels (the loaders' own recogniser is not joined in yet).
#pragma once

#include "firmware-loaders/media/media.h"

#include <string>

namespace coldstart {

/// Everything that is said about one file.
struct Inspection {
    std::string path;
    MediaInfo media;
    std::string advice; ///< which flag of `run` it belongs to, or why none
};

/// Throws Error when the file can't be read; an unknown or damaged file is an answer.
Inspection inspect_file(const std::string& path);

std::string inspect_text(const std::string& path);
std::string inspect_json(const std::string& path);

} // namespace coldstart
